"""Video files of any container and rate, as frames at the requested rate."""

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from sigconv.errors import UsageError
from sigconv.signals.lips.pose import Picture
from sigconv.signals.no_file import why_no_file

# Damaged files make FFmpeg and OpenCV print; what matters is raised here. OpenCV reads this at its first video.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # quiet

READABLE = (
    *(".mp4", ".mkv", ".mov", ".avi", ".mpg", ".mpeg", ".webm", ".m4v", ".wmv", ".3gp"),
    *(".flv", ".ogv", ".ts", ".mts", ".m2ts", ".vob", ".divx"),
)

OPTIONS = "OPENCV_FFMPEG_CAPTURE_OPTIONS"  # OpenCV reads this at each video
TOLERANCE = 0.1  # some containers estimate how many frames they have
VARIABLE = 0.2  # relative change of the time between frames, more than rounding to milliseconds in a container causes
ROUNDED = 0.01  # relative change of the mean rate that such rounding may cause
PAUSE = 1.0  # seconds from picture to picture, more than a camera takes even in the dark
LEAP = 600.0  # likewise, more than there is reason for in a recording of speech: the time stamps are wrong
SQUARE = 0.01  # relative difference of a pixel's sides that rounding the size of the picture may cause
OBLONG = 4  # times as long as wide, at most; the most in use is 2.9, of video CDs in 16:9


class BadVideo(UsageError):  # noqa: N818 (it is the video that is bad)
    """A file that gives no usable pictures of a mouth.

    `path` is the file, and `reason` says why in a word or two: "missing", "unreadable", "empty", "not a video",
    "no frames", "truncated" or "no face".
    """

    def __init__(self, path: Path, reason: str, detail: str) -> None:
        super().__init__(path, reason, detail)  # these, and no message, so that it can be sent to another process
        self.path, self.reason, self.detail = path, reason, detail

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}; {self.detail}."


class Video:
    """The frames of a file, uint8 (H, W, 3) in OpenCV's order BGR, at `rate` frames a second.

    Each is the file's frame that is nearest in time, by the file's own time stamps, so a variable frame rate does no
    harm; if these are missing or do not increase, by its frame rate. Long gaps are noted. A video taken with the camera
    on its side is turned upright, and one of pixels that are not square, as camcorders and DVDs have them, is stretched
    so that they are. Frames are decoded on demand, and again for each iteration: a long video does not fill the memory.

    Args:
        path: a file of any container and codec that OpenCV reads: mp4, mpg, mov, avi, mkv, webm and more.
        rate: frames per second; if None, the file's own (the mean if it varies).

    Attributes:
        source_rate: the file's own frames per second (the mean if it varies).
        seconds: the length of the file.
        notes: what was done to its frames; for people.

    Raises:
        BadVideo: the file is missing, unreadable (also for time stamps that leap by more than 10 minutes), empty, not a
            video, truncated or without frames.
    """

    def __init__(self, path: str | Path, rate: float | None = None) -> None:
        self.path = Path(path)
        found = _search(self.path)
        times, self.source_rate = _times(self.path, found)
        self.rate = rate = self.source_rate if rate is None else rate
        self.seconds = (times[-1] - times[0]) + 1 / self.source_rate
        wanted = times[0] + np.arange(max(1, round(self.seconds * rate))) / rate
        self._chosen = _nearest(times, wanted)
        self.notes = []
        if not np.array_equal(self._chosen, np.arange(len(times))):
            self.notes.append(f"resampled from {self.source_rate:.4g} to {rate:g} frames/s")
        self.notes += _uneven(times)
        self._pixel = pixel = found.pixel
        if pixel != 1:
            self.notes.append(f"pixels made square ({pixel.numerator}:{pixel.denominator})")

    def __len__(self) -> int:
        return len(self._chosen)

    def __iter__(self) -> Iterator[Picture]:
        capture, at = _open(self.path), -1
        for wanted in self._chosen:
            if at < wanted:
                while at < wanted:
                    capture.grab()
                    at += 1
                there, frame = capture.retrieve()
                if not there:
                    raise BadVideo(self.path, "unreadable", f"frame {at + 1} cannot be decoded; convert it again")
                frame = _squared(frame, self._pixel)
            yield frame


def _open(path: Path) -> cv2.VideoCapture:
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(0)
    try:
        capture = cv2.VideoCapture(str(path))
    finally:
        cv2.utils.logging.setLogLevel(level)
    if not capture.isOpened():
        why = "it may hold sound only, or be damaged, or of no kind known here"
        raise BadVideo(path, "not a video", f"{why}; if a player shows its pictures, encode it again as H.264")
    return capture


def _squared(frame: Picture, pixel: Fraction) -> Picture:
    """The frame stretched, so that no detail is lost, in the one direction or the other."""
    if pixel == 1:
        return frame
    height, width = frame.shape[:2]
    return cv2.resize(frame, (round(width * max(pixel, 1)), round(height * max(1 / pixel, 1))))


class _Found(NamedTuple):
    """What there is in a file.

    Args:
        stamps: when each frame is shown, in seconds.
        due: how many frames the container tells of.
        rate: how many of them a second.
        pixel: its width by its height, of the upright picture.
    """

    stamps: list[float]
    due: float
    rate: float
    pixel: Fraction

    @property
    def lasting(self) -> float:
        """For how many frames the file lasts.

        Where it stores no number of frames, OpenCV takes its length times a nominal rate: of a variable rate, there
        may be fewer frames, but all of the time.
        """
        return max(len(self.stamps), (self.stamps[-1] - self.stamps[0]) * self.rate + 1)


def _search(path: Path) -> _Found:
    """All there is; BadVideo if that is no video, or not all of it."""
    try:
        if why := why_no_file(path):
            raise BadVideo(path, "unreadable", why)
        with open(path, "rb") as raw:
            if not raw.read(1):
                raise BadVideo(path, "empty", "it has 0 bytes")
    except FileNotFoundError:
        raise BadVideo(path, "missing", "there is no such file") from None
    except OSError as error:
        raise BadVideo(path, "unreadable", error.strerror or str(error)) from error
    found = _grabbed(path)
    if not found.stamps:
        raise BadVideo(path, "no frames", "none can be decoded; convert it again")
    if found.lasting < (1 - TOLERANCE) * found.due:
        _check_hidden(path, found)
    if len(found.stamps) == 1:
        raise BadVideo(path, "not a video", "it is a single picture")
    return found


def _grabbed(path: Path) -> _Found:
    capture, stamps = _open(path), []
    while capture.grab():
        stamps.append(capture.get(cv2.CAP_PROP_POS_MSEC) / 1000)
    due, rate = capture.get(cv2.CAP_PROP_FRAME_COUNT), capture.get(cv2.CAP_PROP_FPS)
    return _Found(stamps, due, rate, _pixel(capture))


def _pixel(capture: cv2.VideoCapture) -> Fraction:
    wide, high = (round(capture.get(side)) for side in (cv2.CAP_PROP_SAR_NUM, cv2.CAP_PROP_SAR_DEN))
    if min(wide, high) <= 0 or max(wide, high) > OBLONG * min(wide, high) or math.isclose(wide, high, rel_tol=SQUARE):
        return Fraction(1)  # also if the file does not tell, or tells what cannot be
    on_side = capture.get(cv2.CAP_PROP_ORIENTATION_META) % 180 == 90
    return Fraction(high, wide) if on_side else Fraction(wide, high)


def _check_hidden(path: Path, shown: _Found) -> None:
    """BadVideo unless what seems to be missing is in the file, hidden: a telephone trims a clip by an edit list."""
    with _edits_ignored():
        every = _grabbed(path)
    # By what is shown, of which much may be missing where it is little of the whole.
    if every.due - every.lasting > TOLERANCE * shown.lasting:
        longer = "unless only its sound is longer than its picture: then ffmpeg's -shortest cuts that off"
        raise BadVideo(path, "truncated", f"{len(every.stamps)} of {every.due:g} frames are there, {longer}")


@contextmanager
def _edits_ignored() -> Iterator[None]:
    before = os.environ.get(OPTIONS)
    os.environ[OPTIONS] = "ignore_editlist;1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[OPTIONS]
        else:
            os.environ[OPTIONS] = before


def _times(path: Path, found: _Found) -> tuple[np.ndarray, float]:
    """The time at which each frame is shown, in seconds, float64 (frames,); and the frames per second."""
    times, rate = np.array(found.stamps), found.rate
    steps = np.diff(times)
    if np.isfinite(times).all() and (steps > 0).all():
        _check_leaps(path, times, steps)
        mean = (len(times) - 1) / (times[-1] - times[0])
        return times, rate if math.isclose(rate, mean, rel_tol=ROUNDED) else mean
    if not 0 < rate < math.inf:
        raise BadVideo(path, "unreadable", "it tells neither time stamps nor a frame rate; convert it to mp4")
    return np.arange(len(times)) / rate, rate


def _check_leaps(path: Path, times: np.ndarray, steps: np.ndarray) -> None:
    """BadVideo for a length that would fill the memory with one picture."""
    if steps.max() > LEAP:
        last = times[steps.argmax()] - times[0]
        why = f"its time stamps leap by {steps.max():.4g} s after {last:.4g} s"
        anew = f"if they are wrong, ffmpeg's -r {1 / np.median(steps):.4g} before -i sets them anew; else cut it there"
        raise BadVideo(path, "unreadable", f"{why}; {anew}")


def _uneven(times: np.ndarray) -> list[str]:
    """What is to be noted of time stamps that do not increase evenly."""
    steps = np.diff(times)
    longer = steps / np.median(steps) - 1
    if np.abs(longer).max() <= VARIABLE:
        return []
    notes = ["variable frame rate"]
    gaps = np.flatnonzero((steps > PAUSE) & (longer > VARIABLE))
    if len(gaps):
        longest = gaps[steps[gaps].argmax()]
        first, end = times[longest : longest + 2] - times[0]
        others = ", nor in shorter gaps" if len(gaps) > 1 else ""
        notes.append(f"no pictures from {first:.1f} to {end:.1f} s{others}: the nearest ones are repeated")
    return notes


def _nearest(times: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """For each wanted time, the index of the nearest of the increasing ``times``; of two equally near, the later."""
    return np.searchsorted((times[1:] + times[:-1]) / 2, wanted, side="right")
