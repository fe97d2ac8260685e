"""What is below a folder is listed, or told."""

import os
from pathlib import Path

import pytest

from data_prep import casia, folder, raw_files
from data_prep.lips.grid_files import find_videos
from sigconv.errors import UsageError

FINDERS = (raw_files.list_files, folder.find_sounds, find_videos, casia.find_files)


@pytest.fixture
def root(tmp_path):
    """Something for each of the finders, some folders deep."""
    for name in ("s1/deep/a.wav", "s1/deep/b.mpg", "s1/c.gnt", "s1/d.align"):
        path = tmp_path / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "root"


def test_files_at_any_depth_are_listed_in_order(root):
    assert [path.as_posix() for path in raw_files.list_files(root)] == [
        *("s1/c.gnt", "s1/d.align", "s1/deep/a.wav", "s1/deep/b.mpg")
    ]


def test_files_right_in_a_folder_are_in_order_and_neither_hidden_nor_of_another_kind(root):
    for name in ("B.WAV", "._a.wav", ".c.wav"):
        (root / "s1" / "deep" / name).touch()
    (root / "s1" / "deeper").mkdir()
    (root / "s1" / "deeper" / "A.wav").touch()
    found = raw_files.files_in([root / "s1" / name for name in ("deeper", "deep", "nowhere")], ".wav")
    assert [path.relative_to(root / "s1").as_posix() for path in found] == ["deeper/A.wav", "deep/B.WAV", "deep/a.wav"]


@pytest.mark.parametrize("find", [*FINDERS, lambda root: raw_files.files_in([root / "s1" / "deep"], ".wav")])
def test_a_folder_that_cannot_be_read_is_told(root, find, monkeypatch):
    scandir = os.scandir

    def refuse(place):
        if Path(place).name == "deep":
            raise PermissionError(13, "Permission denied", str(place))
        return scandir(place)

    monkeypatch.setattr(os, "scandir", refuse)  # the tests may run as root, who can read all
    with pytest.raises(UsageError, match=rf"{root}/s1/deep cannot be read: Permission denied\. Make it readable, or"):
        find(root)


@pytest.mark.parametrize("find", FINDERS)
def test_a_link_to_a_folder_is_told(root, find, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (root / "s2").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match=f"{root}/s2 is a link to a folder, and links are not followed"):
        find(root)
