"""Decodes sound files, and detects damaged ones that a decoder alone would take for complete."""

import os
import shlex
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple

import numpy as np
import soundfile

from sigconv.errors import UsageError
from sigconv.signals.no_file import why_no_file

READABLE = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aiff", ".aif", ".aifc", ".au", ".caf", ".w64")
CONVERTIBLE = (".m4a", ".m4b", ".mp4", ".aac", ".wma", ".amr", ".3gp", ".webm", ".mka")  # sound, but not for libsndfile

UNKNOWN_LENGTH = 1 << 48  # libsndfile reports more frames than this for flac that was written to a pipe
STREAMED = 0x7FFFF000  # programs that write wav or au to a pipe declare this length or more, or 0
UNRECOGNISED, UNIMPLEMENTED = 1, 18  # libsndfile's error codes; all others are of a format that it knows
TOLERANCE = 0.05  # the length of an mp3 without an index is only an estimate
PACKET = 0.12  # seconds that the longest packet of Opus takes (RFC 6716)

Order = Literal["little", "big"]


class Chunks(NamedTuple):
    """How a kind of file is made of chunks: each has a name, a length and as many bytes; one of them is the sound.

    Args:
        order: of the bytes of a length.
        sound: how the name of the sound begins.
        start: place of the first chunk.
        name, length: how many bytes these two take.
        counted: bytes of the name and the length that the length includes.
        multiple: of how many bytes each chunk takes.
    """

    order: Order
    sound: bytes = b"data"
    start: int = 12
    name: int = 4
    length: int = 4
    counted: int = 0
    multiple: int = 2


CHUNKS = {  # by the first four bytes of a file
    b"RIFF": Chunks("little"),
    b"RIFX": Chunks("big"),
    b"RF64": Chunks("little"),
    b"FORM": Chunks("big", b"SSND"),  # aiff
    b"caff": Chunks("big", start=8, length=8, multiple=1),
    b"riff": Chunks("little", start=40, name=16, length=8, counted=24, multiple=8),  # w64
}
AU: dict[bytes, Order] = {b".snd": "big", b"dns.": "little"}  # then come the start and the length of the sound


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


def decode(path: Path) -> tuple[np.ndarray, int]:
    """The samples of a file, float32 (C, T) with full scale at 1 and T at least 1, and their rate in Hz.

    Raises:
        BadRecording: the file is missing, unreadable, not audio, empty or truncated.
    """
    try:
        if why := why_no_file(path):
            raise BadRecording(path, "unreadable", why)
        with open(path, "rb") as raw:
            return _decode(path, raw)
    except soundfile.LibsndfileError as error:
        raise _explained(path, error) from error
    except FileNotFoundError:
        raise BadRecording(path, "missing", "there is no such file") from None
    except OSError as error:
        raise BadRecording(path, "unreadable", error.strerror or str(error)) from error


def _decode(path: Path, raw: BinaryIO) -> tuple[np.ndarray, int]:
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
        channels = _read(path, file)
        if file.format == "MP3" and os.lseek(descriptor, 0, os.SEEK_CUR) < 0.9 * size:
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


def _read(path: Path, file: soundfile.SoundFile) -> np.ndarray:
    samples, lost = _samples(file)
    if not len(samples):
        raise BadRecording(path, "empty", "it has 0 samples")
    if len(samples) + lost < (1 - TOLERANCE) * file.frames:
        there, due = len(samples) / file.samplerate, file.frames / file.samplerate
        raise BadRecording(path, "truncated", f"{there:.3g} of {due:.3g} seconds are there")
    return samples.T


def _samples(file: soundfile.SoundFile) -> tuple[np.ndarray, int]:
    """The samples, float32 (T, C), and how many follow that libsndfile cannot give.

    It stops with an error in the last packet of Opus, if this is cut short without being marked as the last one. What
    came before is kept if no more than such a packet is missing.
    """
    samples = np.empty((file.frames, file.channels), np.float32)
    try:
        return file.read(out=samples), 0
    except soundfile.LibsndfileError:
        lost = file.frames - file.tell()
        if file.subtype != "OPUS" or lost > PACKET * file.samplerate:
            raise
        return samples[: file.tell()], lost


def _check_length(path: Path, raw: BinaryIO, size: int) -> None:
    """Raises BadRecording if the file ends before its sound does.

    libsndfile reads what there is, without an error. This checks all whose header gives the length of the samples, and
    ogg, whose last page must be whole. It need not be marked as the last one: recorders on Android leave that out.
    """
    kind, start, length = raw.read(4), 0, 0
    if kind == b"OggS":
        _check_last_page(path, raw, size)
    elif kind in CHUNKS:
        start, length = _sound(raw, CHUNKS[kind])
    elif kind in AU:
        start, length = (int.from_bytes(raw.read(4), AU[kind]) for _ in range(2))
        length = length if length < STREAMED else 0
    there = max(0, size - start)
    if there < length < UNKNOWN_LENGTH:
        raise BadRecording(path, "truncated", f"{there:,} of {length:,} bytes of sound are there")


def _sound(raw: BinaryIO, chunks: Chunks) -> tuple[int, int]:
    """Where the sound of a file begins, and how many bytes it should have; 0 if that is not told."""
    raw.seek(chunks.start)
    head, long = chunks.name + chunks.length, 0
    while len(header := raw.read(head)) == head:
        name, length = header[: chunks.name], int.from_bytes(header[chunks.name :], chunks.order)
        length = max(0, length - chunks.counted)
        start = raw.tell()
        if name.startswith(chunks.sound):
            return start, length if chunks.length == 8 or length < STREAMED else long
        if name == b"ds64":  # RF64: first the length of the file, then that of the sound
            long = int.from_bytes(raw.read(16)[8:], chunks.order)
        raw.seek(start + min(length + -length % chunks.multiple, UNKNOWN_LENGTH))
    return 0, 0


def _check_last_page(path: Path, raw: BinaryIO, size: int) -> None:
    raw.seek(max(0, size - (1 << 16)))  # a page is shorter than that
    tail = raw.read()
    page = tail[max(0, tail.rfind(b"OggS")) :]
    # RFC 3533: byte 26 holds the number of segment lengths that follow.
    if len(page) < 27 or len(page) < 27 + page[26] + sum(page[27 : 27 + page[26]]):
        raise BadRecording(path, "truncated", "its last page is not whole")
