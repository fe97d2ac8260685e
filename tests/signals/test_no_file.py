"""A folder or a pipe in place of a file is told, with what to do instead, whatever was to be read."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from sigconv.errors import UsageError
from sigconv.signals.image.digits import read_digit
from sigconv.signals.lips.video import Video
from sigconv.signals.speech.recording import read_recording

read_sound = partial(read_recording, rate=8000)


@pytest.mark.parametrize("read", [read_digit, read_sound, Video], ids=["picture", "sound", "video"])
def test_a_folder(read: Callable[[Path], object], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="it is a folder: give the files in it") as error:
        read(tmp_path)
    assert f"{tmp_path}/*" in str(error.value)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.parametrize("read", [read_sound, Video], ids=["sound", "video"])
def test_a_pipe_in_which_a_decoder_cannot_go_back(read: Callable[[Path], object], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    with pytest.raises(UsageError, match=r"pipe\.wav.*it is a pipe or a device: save what it gives to a file"):
        read(tmp_path / "pipe.wav")
