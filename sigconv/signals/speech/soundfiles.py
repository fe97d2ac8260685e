"""Decodes sound files, and detects damaged ones that a decoder alone would take for complete."""

import os
import shlex
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
import soundfile

from sigconv.errors import UsageError

READABLE = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aiff", ".aif", ".aifc", ".au", ".caf", ".w64")
CONVERTIBLE = (".m4a", ".m4b", ".mp4", ".aac", ".wma", ".amr", ".3gp", ".webm", ".mka")  # sound, but not for libsndfile

UNKNOWN_LENGTH = 1 << 48  # libsndfile reports more frames than this for flac that was written to a pipe
STREAMED = 0x7FFFF000  # programs that write wav to a pipe declare this length or more, or 0
UNRECOGNISED, UNIMPLEMENTED = 1, 18  # libsndfile's error codes; all others are of a format that it knows
TOLERANCE = 0.05  # the length of an mp3 without an index is only an estimate


class BadRecording(UsageError):  # noqa: N818 (it is the recording that is bad)
    """A file that gives no usable sound.

    `reason` says why in a word or two: "missing", "unreadable", "not audio", "empty", "truncated", "not finite",
    "silent", or for example "m4a, not readable".
    """

    def __init__(self, path: Path, reason: str, detail: str) -> None:
        super().__init__(path, reason, detail)  # these, and no message, so that it can be sent to another process
        self.path, self.reason, self.detail = path, reason, detail

    def __str__(self) -> str:
        return f"{self.path} is {self.reason}: {self.detail}."


def decode(path: Path, start: float | None = None, end: float | None = None) -> tuple[np.ndarray, int]:
    """The samples of a file, float32 (C, T) with full scale at 1 and T at least 1, and their rate in Hz.

    Args:
        start, end: the wanted piece, in seconds; by default the whole file.

    Raises:
        BadRecording: the file is missing, unreadable, not audio, empty or truncated.
    """
    try:
        with open(path, "rb") as raw:
            return _decode(path, raw, start, end)
    except soundfile.LibsndfileError as error:
        raise _explained(path, error) from error
    except FileNotFoundError:
        raise BadRecording(path, "missing", "there is no such file") from None
    except OSError as error:
        raise BadRecording(path, "unreadable", error.strerror or str(error)) from error


def _decode(path: Path, raw: BinaryIO, start: float | None, end: float | None) -> tuple[np.ndarray, int]:
    descriptor = raw.fileno()
    size = os.fstat(descriptor).st_size
    if size == 0:
        raise BadRecording(path, "empty", "it has 0 bytes")
    _check_length(path, raw, size)
    os.lseek(descriptor, 0, os.SEEK_SET)
    # By descriptor: given the file object, libsndfile reads through callbacks into Python, in which an interrupt is
    # lost and taken for the end of the file.
    with soundfile.SoundFile(descriptor, closefd=False) as file:
        if file.frames > UNKNOWN_LENGTH:
            raise BadRecording(path, "unreadable", f"it does not tell its length. {_conversion(path)}")
        channels = _read(path, file, start, end)
        if file.format == "MP3" and end is None and os.lseek(descriptor, 0, os.SEEK_CUR) < 0.9 * size:
            raise BadRecording(path, "unreadable", f"it tells a wrong length. {_conversion(path)}")
        return channels, file.samplerate


def _explained(path: Path, error: soundfile.LibsndfileError) -> BadRecording:
    if error.code not in (UNRECOGNISED, UNIMPLEMENTED):
        return BadRecording(path, "truncated", f"or damaged otherwise ({error.error_string})")
    known = "wav, flac, ogg, opus, mp3 and aiff can be read"
    kind = path.suffix.lower()
    if kind in CONVERTIBLE:
        return BadRecording(path, f"{kind[1:]}, not readable", f"{known}. {_conversion(path)}")
    return BadRecording(path, "not audio", f"its content is of no format of sound known here; {known}")


def _conversion(path: Path) -> str:
    return "Convert it: " + shlex.join(["ffmpeg", "-i", str(path), str(path.with_suffix(".wav"))])


def _read(path: Path, file: soundfile.SoundFile, start: float | None, end: float | None) -> np.ndarray:
    first = round((start or 0) * file.samplerate)
    last = file.frames if end is None else round(end * file.samplerate)
    file.seek(min(first, file.frames))
    samples = file.read(max(0, last - first), "float32", always_2d=True)
    if not len(samples):
        raise BadRecording(path, "empty", f"there are no samples after {start:g} s" if start else "it has 0 samples")
    if len(samples) < (1 - TOLERANCE) * (last - first):
        there, due = len(samples) / file.samplerate, (last - first) / file.samplerate
        raise BadRecording(path, "truncated", f"{there:.3g} of {due:.3g} seconds are there")
    return samples.T


def _check_length(path: Path, raw: BinaryIO, size: int) -> None:
    """Raises BadRecording if the file ends before its sound does.

    libsndfile reads what there is, without an error. This checks wav and aiff, whose header gives the length of the
    samples, and ogg, whose last page is marked as such.
    """
    kind = raw.read(12)[:4]
    if kind in (b"RIFF", b"FORM"):
        order: Literal["little", "big"] = "little" if kind == b"RIFF" else "big"
        while len(header := raw.read(8)) == 8:
            name, length = header[:4], int.from_bytes(header[4:], order)
            there = size - raw.tell()
            if name in (b"data", b"SSND") and there < length < STREAMED:
                raise BadRecording(path, "truncated", f"{there:,} of {length:,} bytes of sound are there")
            raw.seek(length + length % 2, os.SEEK_CUR)
    elif kind == b"OggS":
        raw.seek(max(0, size - (1 << 16)))  # a page is shorter than that
        tail = raw.read()
        page = tail[max(0, tail.rfind(b"OggS")) :]
        # RFC 3533: byte 5 holds flags, 4 for the last page; byte 26 the number of segment lengths that follow.
        if len(page) < 27 or not page[5] & 4 or len(page) < 27 + page[26] + sum(page[27 : 27 + page[26]]):
            raise BadRecording(path, "truncated", "its last page is missing or not whole")
