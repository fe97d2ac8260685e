"""Made-up video files."""

import re
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np

BLOCK = rb"\x81(..)\x80\xff\xd8"  # Matroska: track 1, milliseconds, key frame; then a JPEG picture begins
DURATION = b"\x44\x89\x88"  # Matroska: the length of the file in milliseconds, of 8 bytes


def write_clip(path: Path, frames: Iterable[np.ndarray], rate: float = 25, codec: str = "MJPG") -> Path:
    """A video of frames (H, W, 3), uint8, in OpenCV's order BGR; the container is that of the path's suffix."""
    frames = list(frames)
    height, width = frames[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), rate, (width, height))
    assert writer.isOpened()
    for frame in frames:
        writer.write(frame)
    writer.release()
    return path


def numbered(count: int) -> list[np.ndarray]:
    """Frames whose grey level tells their number, up to 60."""
    return [np.full((48, 64, 3), 4 * i + 8, np.uint8) for i in range(count)]


def numbers(frames: Iterable[np.ndarray]) -> list[int]:
    return [round((float(frame.mean()) - 8) / 4) for frame in frames]


def set_times(path: Path, milliseconds: Sequence[int]) -> None:
    """Gives the frames of a short mkv file, written with MJPG, these time stamps, and the file its length."""
    data, times = path.read_bytes(), iter(milliseconds)
    stamped, count = re.subn(
        BLOCK, lambda _: b"\x81" + next(times).to_bytes(2, "big") + b"\x80\xff\xd8", data, flags=re.S
    )
    assert count == len(milliseconds)
    length = 2 * milliseconds[-1] - milliseconds[-2]
    before, duration, after = stamped.partition(DURATION)
    path.write_bytes(before + duration + struct.pack(">d", length) + after[8:])


def lay_on_side(path: Path) -> None:
    """Tells in an mp4 file that the camera was turned by a quarter."""
    data = bytearray(path.read_bytes())
    start = data.index(b"tkhd") + 44  # ISO 14496-12: the matrix of the track's header
    data[start : start + 36] = np.array([0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30], ">i4").tobytes()
    path.write_bytes(data)


def set_pixel_shape(path: Path, width: int, height: int) -> None:
    """Tells in an mp4 file, written with mp4v, that a pixel is not square. Its index must come last."""
    data = bytearray(path.read_bytes())
    shape = struct.pack(">I4sII", 16, b"pasp", width, height)
    for box in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"mp4v"):  # ISO 14496-12: each within the last
        start = data.index(box, data.index(b"moov")) - 4
        (size,) = struct.unpack_from(">I", data, start)
        struct.pack_into(">I", data, start, size + len(shape))
    data[start + size : start + size] = shape
    path.write_bytes(data)


def hide_start(path: Path, seconds: float) -> None:
    """Tells in an mp4 file to begin so much later, as telephones do when they trim a clip: no frame is removed."""
    data = bytearray(path.read_bytes())
    (movie,), (media,) = (struct.unpack_from(">I", data, data.index(box) + 16) for box in (b"mvhd", b"mdhd"))
    edit = data.index(b"elst") + 12  # ISO 14496-12: how long, in ticks of the movie, and from when, in the media's
    (length,) = struct.unpack_from(">I", data, edit)
    struct.pack_into(">II", data, edit, length - round(seconds * movie), round(seconds * media))
    path.write_bytes(data)


def put_index_first(path: Path) -> None:
    """Moves what an mp4 file tells of its frames before them, as for streaming."""
    data = path.read_bytes()
    frames, index = data.index(b"mdat") - 4, data.index(b"moov") - 4
    moved = bytearray(data[index:])
    at = moved.index(b"stco") + 8
    (count,) = struct.unpack_from(">I", moved, at)
    for place in range(at + 4, at + 4 + 4 * count, 4):
        struct.pack_into(">I", moved, place, struct.unpack_from(">I", moved, place)[0] + len(moved))
    path.write_bytes(data[:frames] + moved + data[frames:index])
