"""Grey pictures, in the form in which they are processed."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[Any]  # float32 (height, width), 0..1

PAPER_SIZE = 256  # longest side, in pixels, of a picture in which paper is looked for: paper has little detail


def to_bytes(picture: Picture) -> NDArray[np.uint8]:
    return np.rint(picture * 255).astype(np.uint8)


def scaled(picture: NDArray[Any], longest: float) -> NDArray[Any]:
    """A picture of any dtype with its longer side brought to ``longest`` pixels."""
    scale = longest / max(picture.shape)
    height, width = (max(1, round(scale * side)) for side in picture.shape)
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)


def shrink(picture: Picture, longest: int) -> Picture:
    return scaled(picture, longest) if longest < max(picture.shape) else picture
