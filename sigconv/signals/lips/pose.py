"""Where the mouth is in a picture: what every locator returns."""

from collections.abc import Callable
from typing import Any, NamedTuple

from numpy.typing import NDArray

Picture = NDArray[Any]  # uint8, (H, W, 3) in OpenCV's order BGR, or (H, W) in grey


class Pose(NamedTuple):
    """The place, size and roll of a mouth.

    Args:
        x, y: its centre, half-way between its corners, in pixels.
        eyes: the distance between the eyes in pixels; the unit of size, because speech does not change it.
        angle: the roll of the head in radians: 0 upright, positive clockwise in the picture.
    """

    x: float
    y: float
    eyes: float
    angle: float


Locator = Callable[[Picture], Pose | None]  # called for the frames of one clip in order; None where there is no face
