import tarfile
import zipfile
from unittest.mock import Mock

import pytest

from data_prep.unpack import unpack
from sigconv.errors import UsageError


def test_what_a_killed_process_would_leave_is_hidden(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "s1.zip", "w") as archive:
        archive.writestr("s1/a.mpg", "video")
    extract, there = zipfile.ZipFile.extract, []

    def watched(*arguments):
        extract(*arguments)
        there.extend(path.name[0] for path in tmp_path.iterdir())

    monkeypatch.setattr(zipfile.ZipFile, "extract", watched)
    unpack(tmp_path / "s1.zip", tmp_path / "s1")
    assert sorted(there) == [".", "s"]  # the scratch folder and the archive
    assert (tmp_path / "s1" / "s1" / "a.mpg").read_text() == "video"


def test_a_full_disk_is_told_with_the_folder_and_the_archive_is_kept(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "s1.zip", "w") as archive:
        archive.writestr("s1/a.mpg", "video")
    monkeypatch.setattr(zipfile.ZipFile, "extract", Mock(side_effect=OSError(28, "No space left on device")))
    with pytest.raises(OSError, match=f"No space left on device: '{tmp_path}/s1'"):
        unpack(tmp_path / "s1.zip", tmp_path / "s1")
    assert [path.name for path in tmp_path.iterdir()] == ["s1.zip"]


@pytest.mark.parametrize("kind", [".zip", ".tar.gz"])
def test_an_empty_archive_is_damaged(tmp_path, kind):
    archive = tmp_path / f"s1{kind}"
    with zipfile.ZipFile(archive, "w") if kind == ".zip" else tarfile.open(archive, "w:gz"):
        pass
    with pytest.raises(UsageError, match=r"not a whole, safe archive \(there is nothing in it\)\. It is deleted now"):
        unpack(archive, tmp_path / "s1")
    assert list(tmp_path.iterdir()) == []
