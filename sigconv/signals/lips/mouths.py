"""From a video file to a video of the mouth, at the same place and of the same size in every frame."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from sigconv.errors import UsageError
from sigconv.signals import check
from sigconv.signals.lips.haar import HaarLocator
from sigconv.signals.lips.landmarks import LandmarkLocator
from sigconv.signals.lips.pose import Locator, Picture
from sigconv.signals.lips.track import Quality, follow
from sigconv.signals.lips.video import BadVideo, Video
from sigconv.signals.lips.yunet import YunetLocator

__all__ = ["BadVideo", "MouthReader", "Mouths"]

LOCATORS: Mapping[str, Callable[..., Locator]] = {
    "haar": HaarLocator,
    "landmarks": LandmarkLocator,
    "yunet": YunetLocator,
}
MODELS = ("yunet",)  # the locators that need a model file


@dataclass(frozen=True)
class Mouths:
    """What `MouthReader` returns.

    Args:
        frames: uint8 (C, T, height, width); C is 1 in grey, 3 for red, green, blue.
        poses: float64 (T, 4): where the mouth is in the frames of `Video`, after smoothing; columns as in `Pose`.
        quality: how well the mouth was found.
        notes: what was done to the frames of the file; for people.
        stretches: first and end of each stretch of frames that has the mouth, if only windows are of use; else None.
    """

    frames: np.ndarray
    poses: np.ndarray
    quality: Quality
    notes: list[str]
    stretches: list[tuple[int, int]] | None = None


@dataclass(frozen=True)
class MouthReader:
    """Cuts the mouth out of every frame of a video, upright, and of one size whatever the distance of the camera.

    The centre of the result is half-way between the mouth's corners. All motion of the head that is slower than the
    mouth's own is removed.

    At call, `window` may say how many frames together are of use. Then a video may lack a face for long, as long as
    there is one for so many frames; without it, all of the video must have one.

    Args:
        locator: "haar" (nothing to install), "landmarks" (accurate; needs dlib), or "yunet" (turned faces too; needs a
            model file).
        model: that file; for "yunet" only.
        rate: frames per second of the result, whatever the file's own.
        height, width: of the result, in pixels.
        region: width of what is cut out, in distances between the eyes. A mouth is 0.87 wide.
        colour: red, green and blue instead of grey.

    Raises:
        UsageError: an invalid setting; at call, a model or package that is missing.
        BadVideo: at call, a file without usable pictures of a mouth; see `Video` and `follow`.
    """

    locator: str = "haar"
    model: str | None = None
    rate: float = 25.0
    height: int = 40
    width: int = 64
    region: float = 1.7
    colour: bool = False

    def __post_init__(self) -> None:
        check.choice(self, "locator", self.locator, LOCATORS)
        check.positive(self, rate=self.rate, region=self.region)
        check.at_least_one(self, height=self.height, width=self.width)
        if (self.locator in MODELS) != (self.model is not None):
            needs = "needs its file: give mouth.model=PATH" if self.locator in MODELS else "has no model: leave it out"
            raise UsageError(f"MouthReader: model is {self.model}, but the locator {self.locator} {needs}")

    def __call__(self, path: str | Path, window: int | None = None) -> Mouths:
        locate = LOCATORS[self.locator](*([self.model] if self.model else []))  # a new one: it follows one clip
        try:
            return self._read(path, locate, window)
        except cv2.error as error:  # such as for frames that change in size
            raise BadVideo(Path(path), "unreadable", f"OpenCV stops at it ({error.err}); convert it again") from error

    def _read(self, path: str | Path, locate: Locator, window: int | None) -> Mouths:
        video = Video(path, self.rate)
        track = follow([locate(frame) for frame in video], self.rate, path, window)
        finer = max(1, round(self.region * track.quality.eyes / self.width))
        frames = [self._crop(frame, pose, finer) for frame, pose in zip(video, track.poses, strict=True)]
        stretches = None if window is None else track.stretches
        return Mouths(np.stack(frames, axis=1), track.poses, track.quality, video.notes, stretches)

    def _crop(self, frame: Picture, pose: np.ndarray, finer: int) -> Picture:
        """uint8 (C, height, width). First warped `finer` times as large, so that all of the frame's pixels count."""
        x, y, eyes, angle = pose
        height, width = finer * self.height, finer * self.width
        scale = self.region * eyes / width  # pixels of the frame per pixel of the warped crop
        cos, sin = scale * np.cos(angle), scale * np.sin(angle)
        turn = np.array([[cos, -sin], [sin, cos]])
        corner = np.array([x, y]) - turn @ [(width - 1) / 2, (height - 1) / 2]
        to_frame = np.column_stack([turn, corner])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        crop = cv2.warpAffine(frame, to_frame, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
        crop = cv2.resize(crop, (self.width, self.height), interpolation=cv2.INTER_AREA)
        if self.colour:
            return cv2.cvtColor(crop, cv2.COLOR_BGR2RGB).transpose(2, 0, 1)
        return cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY)[None]
