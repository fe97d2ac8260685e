"""Grey pictures, in the form in which they are processed."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[Any]  # float32 (height, width), 0..1

PAPER_SIZE = 256  # longest side, in pixels, of a picture in which paper is looked for: paper has little detail


def to_bytes(picture: Picture) -> NDArray[np.uint8]:
    return np.rint(picture * 255).astype(np.uint8)


def shrink(picture: Picture, longest: int) -> Picture:
    scale = longest / max(picture.shape)
    height, width = (max(1, round(side * scale)) for side in picture.shape)
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA) if scale < 1 else picture
