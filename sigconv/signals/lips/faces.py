"""Follows the one face of a clip from frame to frame, by a detector for single pictures."""

from collections.abc import Callable
from typing import NamedTuple

import cv2

from sigconv.signals.lips.pose import Picture

SHORT_SIDE = 480  # of the picture, in pixels, when all of it is searched
SMALLEST = 80  # smallest side of a face then: a sixth of the picture
SIDE = 100  # of the face, in pixels, when searched near its last place: small, hence fast, and always the same
MARGIN = 0.3  # around it, in sides
GROWTH = 1.25  # largest factor by which its side changes from one frame to the next


class Box(NamedTuple):
    """A square around a face, in pixels: its upper left corner and its side."""

    x: float
    y: float
    side: float


Detector = Callable[[Picture, float, float], list[Box]]  # from a grey picture, and the smallest and largest side


class FaceSearch:
    """Searches near the last face first, which is many times faster, and in the whole picture if that fails.

    It remembers the last face: use one search for each clip, and give it the frames in order.

    Whatever the size of the video, the final box is that of a face scaled to about SIDE pixels, so that a detector
    whose boxes depend on the resolution needs only one calibration. If there are several faces, the largest is taken.

    Args:
        detect: finds the faces in a grey picture (H, W), uint8.
    """

    def __init__(self, detect: Detector) -> None:
        self._detect = detect
        self._last: Box | None = None

    def __call__(self, grey: Picture) -> Box | None:
        """The face in a grey picture (H, W), uint8, or None."""
        self._last = (self._last and self._near(grey, self._last)) or self._anywhere(grey)
        return self._last

    def _anywhere(self, grey: Picture) -> Box | None:
        scale = SHORT_SIDE / min(grey.shape)
        face = self._biggest(_scaled(grey, scale), SMALLEST, SHORT_SIDE)
        if face is None:
            return None
        rough = Box(*(number / scale for number in face))
        return self._near(grey, rough) or rough

    def _near(self, grey: Picture, last: Box) -> Box | None:
        margin, scale = MARGIN * last.side, SIDE / last.side
        left, top = (max(0, int(corner - margin)) for corner in (last.x, last.y))
        right, bottom = (int(corner + last.side + margin) for corner in (last.x, last.y))
        face = self._biggest(_scaled(grey[top:bottom, left:right], scale), SIDE / GROWTH, SIDE * GROWTH)
        return face and Box(left + face.x / scale, top + face.y / scale, face.side / scale)

    def _biggest(self, grey: Picture, smallest: float, largest: float) -> Box | None:
        return max(self._detect(grey, smallest, largest), key=lambda box: box.side, default=None)


def _scaled(grey: Picture, scale: float) -> Picture:
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return cv2.resize(grey, None, fx=scale, fy=scale, interpolation=method)
