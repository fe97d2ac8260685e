"""Writes a copy of a clip with what a network read in it as subtitles."""

import math
import os
import tempfile
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageDraw

from sigconv.errors import UsageError
from sigconv.inference.predict import Prediction, decoder_of, load, read_and_answer
from sigconv.inference.readers import check_readable
from sigconv.signals.letters import letters
from sigconv.signals.lips.mouths import MouthReader
from sigconv.signals.lips.track import GAP
from sigconv.signals.lips.video import BadVideo, Video

CODECS = ("avc1", "mp4v")  # the first plays everywhere, and the second is part of every OpenCV
TIME_BASE = 65_535  # at most, in MPEG-4; OpenCV writes 119.883 frames/s as 119883 / 1000
LINES = 2  # of subtitles at once
BLACK, YELLOW = (0, 0, 0), (0, 220, 255)  # blue, green, red


def subtitle(run: str | Path, files: Sequence[str | Path], out: str | Path) -> Prediction:
    """Predicts one clip, and writes a copy of it to `out` with a frame around the mouth and the words as subtitles.

    The copy has the clip's size (with pixels made square) and frame rate, and no sound.

    Raises UsageError for anything but one clip and a new .mp4 file, or a run that was not trained on videos. A clip
    that cannot be read gives a `Prediction` with an error, and no file.
    """
    target = Path(out)
    _check(files, target)
    network, about = load(run)
    if about["kind"] != "video":
        raise UsageError(f"{run} was trained on {about['kind']}, not on video: there is nothing to write subtitles to.")
    check_readable(run, about)
    prediction, reading = read_and_answer(network, about, decoder_of(about), str(files[0]))
    if reading is not None and reading.poses is not None:
        # In a folder of its own, so that its name ends in .mp4 and tells OpenCV the format.
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.part-") as scratch:
            part = Path(scratch) / target.name
            _write(part, prediction, reading.poses, MouthReader(**about["reader"]))
            os.replace(part, target)
    return prediction


def caption(prediction: Prediction, seconds: float) -> str:
    """The subtitle at this time: the sentence, or the class of the clip or of this piece, if any."""
    if prediction.segments is None:
        return prediction.text or prediction.label or ""
    piece = min(prediction.segments, key=lambda piece: abs(piece.start + piece.end - 2 * seconds))
    return piece.label if piece.start - GAP <= seconds <= piece.end + GAP else ""


def _check(files: Sequence[str | Path], target: Path) -> None:
    if len(files) != 1:
        raise UsageError(f"--video writes one clip, and {len(files)} files are given: give one at a time.")
    if target.suffix.lower() != ".mp4":
        raise UsageError(f"--video writes mp4: let the name of {target} end in .mp4.")
    if target.exists():
        same = Path(files[0]).exists() and target.samefile(files[0])
        why = "is the clip itself" if same else "is there already and is not overwritten"
        raise UsageError(f"{target} {why}: give --video another name.")
    if not target.parent.is_dir():
        raise UsageError(f"{target} cannot be written: there is no folder {target.parent}.")


def _write(path: Path, prediction: Prediction, poses: np.ndarray, reader: MouthReader) -> None:
    clip = prediction.file
    video = Video(clip)
    rate = video.rate
    writer = None
    for number, frame in enumerate(video):
        if writer is None:
            height, width = frame.shape[:2]
            writer = _writer(path, _writable(rate), (width, height))
        seconds = number / rate
        pose = poses[min(round(seconds * reader.rate), len(poses) - 1)]
        writer.write(_drawn(frame, pose, reader, caption(prediction, seconds)))
    if writer is not None:
        writer.release()
    try:
        Video(path, rate)  # OpenCV does not report that a disk is full
    except BadVideo as error:
        raise UsageError(f"The copy of {clip} was not written whole ({error.reason}): is the disk full?") from error


def _writable(rate: float) -> float:
    """The rate with as many decimals as can be written: above 20 frames/s, a copy drifts by less than 0.3 s an hour."""
    return round(rate, int(math.log10(TIME_BASE / rate)))


def _writer(path: Path, rate: float, size: tuple[int, int]) -> cv2.VideoWriter:
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(0)  # available codecs are found by trying
    try:
        for codec in CODECS:
            writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), rate, size)
            if writer.isOpened():
                return writer
    finally:
        cv2.utils.logging.setLogLevel(level)
    raise UsageError(f"OpenCV has no codec for mp4 here, of {' and '.join(CODECS)}, or cannot write to {path.parent}.")


def _drawn(frame: np.ndarray, pose: np.ndarray, reader: MouthReader, text: str) -> np.ndarray:
    """A copy of the frame (H, W, 3) with a box around what the network sees, and the text at the bottom."""
    frame = frame.copy()  # `Video` yields the same array again for a repeated frame
    x, y, eyes, angle = pose.tolist()
    wide = reader.region * eyes
    corners = cv2.boxPoints(((x, y), (wide, wide * reader.height / reader.width), np.degrees(angle)))
    line = max(2, round(min(frame.shape[:2]) / 200))
    for colour, thickness in ((BLACK, 2 * line), (YELLOW, line)):
        cv2.polylines(frame, [corners.round().astype(np.int32)], True, colour, thickness, cv2.LINE_AA)
    return _written(frame, text) if text else frame


def _written(frame: np.ndarray, text: str) -> np.ndarray:
    """A copy of the frame with the end of the text at the bottom, on a dark band."""
    height, width = frame.shape[:2]
    size = max(10.0, min(height / 12, width / 18))  # pixels
    lines = textwrap.wrap(text, max(1, int(0.95 * width / (0.62 * size))))[-LINES:]
    image = Image.fromarray(frame)  # of black and white, for which the order of colours does not matter
    pen = ImageDraw.Draw(image, "RGBA")
    look: Any = {"xy": (width / 2, 0.95 * height), "anchor": "md", "align": "center", "font": letters(size, bold=True)}
    look["stroke_width"] = round(size / 12)
    left, _, right, _ = pen.multiline_textbbox(text="\n".join(lines), **look)
    _, top, _, bottom = pen.multiline_textbbox(text="\n".join(["lp"] * len(lines)), **look)  # the same for all letters
    pad = 0.3 * size
    pen.rounded_rectangle((left - pad, top - pad, right + pad, bottom + pad), pad, (0, 0, 0, 128))
    pen.multiline_text(text="\n".join(lines), fill="white", stroke_fill="black", **look)
    return np.array(image)
