"""The path of a mouth through a clip: gaps filled, outliers dropped, the locator's jitter smoothed away."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter1d, median_filter

from sigconv.signals.lips.pose import Pose
from sigconv.signals.lips.video import BadVideo

GAP = 0.5  # seconds, at most, without a face: a head hardly moves in that time
LEAST = 0.6  # smallest share of frames with a face
NEIGHBOURHOOD = 0.8  # seconds over which the median is taken that outliers are compared with
FAR = 0.5  # distance from that median, in distances between the eyes, beyond which a pose is an outlier
UNLIKE = 1.25  # likewise for its size, as a factor
SMOOTHING = 0.1  # seconds: standard deviation of the Gaussian, whose full width at half maximum is 0.24 s
STEADY, SHARP = 0.2, 32  # constants of the score: see Quality


@dataclass(frozen=True)
class Quality:
    """How well the mouth was found.

    Args:
        found: share of frames with a face, outliers not counted.
        jitter: root mean square distance of the places found from the smoothed path, in distances between the eyes.
        eyes: mean distance between the eyes, in pixels.
        score: all of these in one number, 0..1: found * exp(-jitter / 0.2) * min(1, eyes / 32).
    """

    found: float
    jitter: float
    eyes: float
    score: float


@dataclass(frozen=True)
class Track:
    """The path.

    Args:
        poses: float64 (T, 4), columns as in `Pose`; there is one for every frame.
        quality: how well the mouth was found.
        stretches: first and end of each stretch of frames in which it was found well enough.
    """

    poses: np.ndarray
    quality: Quality
    stretches: list[tuple[int, int]]


def follow(poses: Sequence[Pose | None], rate: float, path: str | Path, window: int | None = None) -> Track:
    """Makes one smooth path of the poses found in the single frames.

    A pose that is far from the local median, or of another size, is a false detection and counts as none. Between poses
    the path is interpolated linearly; before the first and after the last it is constant. Then it is smoothed over
    time, symmetrically: the path does not lag behind, and does not follow the mouth's own quick motion.

    Args:
        rate: frames per second.
        path: of the video, for the error.
        window: how many frames together are of use, if not only all of them.

    Raises:
        BadVideo: "no face" for more than 0.5 s at a stretch, or in more than 40 % of the frames; given a window, only
            if no stretch of that length is better.
    """
    raw = np.array([(np.nan,) * 4 if pose is None else pose for pose in poses], dtype=np.float64).reshape(-1, 4)
    least = len(raw) if window is None else min(window, len(raw))
    _stretches(raw, rate, Path(path), least)
    raw[_outliers(raw, rate)] = np.nan
    stretches = _stretches(raw, rate, Path(path), least)
    found = ~np.isnan(raw[:, 0])
    smooth = gaussian_filter1d(_filled(raw), SMOOTHING * rate, axis=0, mode="nearest")
    return Track(smooth, _quality(raw[found], smooth[found], float(found.mean())), stretches)


def _stretches(raw: np.ndarray, rate: float, path: Path, least: int) -> list[tuple[int, int]]:
    """First and end of the stretches between long gaps that have faces enough; BadVideo if none has `least` frames."""
    found = ~np.isnan(raw[:, 0])
    gaps = np.flatnonzero(np.diff(~found, prepend=False, append=False)).reshape(-1, 2)  # first and end of each
    lengths = gaps[:, 1] - gaps[:, 0]
    longest = lengths.max(initial=0)
    edges = [0, *gaps[lengths > GAP * rate].flatten().tolist(), len(found)]
    between = [(first, end) for first, end in zip(edges[::2], edges[1::2], strict=True) if end - first >= least]
    stretches = [(first, end) for first, end in between if found[first:end].mean() >= LEAST]
    if not stretches:
        raise BadVideo(
            path,
            "no face",
            f"one was found in {found.sum()} of {len(found)} frames, and in none of {longest} together "
            f"({longest / rate:.2g} s); {LEAST:.0%} are needed, and gaps of {GAP:g} s at most; if the face is small, "
            "crop the video to it",
        )
    return stretches


def _outliers(raw: np.ndarray, rate: float) -> np.ndarray:
    """Which poses are outliers, bool (T,)."""
    median = median_filter(_filled(raw), size=(2 * round(NEIGHBOURHOOD * rate / 2) + 1, 1), mode="reflect")
    away = np.hypot(*(raw - median)[:, :2].T) / median[:, 2]
    return (away > FAR) | (np.abs(np.log(raw[:, 2] / median[:, 2])) > np.log(UNLIKE))


def _filled(raw: np.ndarray) -> np.ndarray:
    frames, found = np.arange(len(raw)), ~np.isnan(raw[:, 0])
    return np.stack([np.interp(frames, frames[found], column[found]) for column in raw.T], axis=1)


def _quality(raw: np.ndarray, smooth: np.ndarray, found: float) -> Quality:
    """From the poses (F, 4) of the frames with a face, and ``found``, the share of these among all frames."""
    eyes = float(smooth[:, 2].mean())
    jitter = float(np.sqrt(np.square((raw - smooth)[:, :2] / smooth[:, 2:3]).sum(1).mean()))
    return Quality(found, jitter, eyes, float(found * np.exp(-jitter / STEADY) * min(1.0, eyes / SHARP)))
