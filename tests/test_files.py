"""Files that are there as a whole or not at all."""

from pathlib import Path

import pytest

from sigconv.files import naming, write_whole


def test_what_cannot_be_written_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "figures.json"
    write_whole(path, lambda part: part.write_text("old"))

    def on_a_full_disk(part: Path) -> None:
        part.write_text("ne")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match=f"No space left on device: '{path}'"):
        write_whole(path, on_a_full_disk)
    assert [file.name for file in tmp_path.iterdir()] == ["figures.json"]
    assert path.read_text() == "old"


def test_an_error_that_names_a_file_keeps_its_name(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=f"'{tmp_path}/there'"), naming(tmp_path / "here"):
        (tmp_path / "there").read_text()
