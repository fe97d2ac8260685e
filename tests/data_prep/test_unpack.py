import zipfile

from data_prep.unpack import unpack


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
