"""Turns a picture of a Chinese character, drawn or photographed, into one as a corpus has them."""

from os import PathLike
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sigconv.errors import UsageError
from sigconv.signals.image.ink import as_it_is, broadened, cropped, decode, ink_of, light_ink, pieces_of
from sigconv.signals.image.picture import Picture, scaled, to_bytes

SIZE, INK = 48, 40  # pixels: of a picture, and of the longer side of the character in it
STROKE = 0.04  # thinnest stroke, as a share of the longer side


def read_character(path: str | PathLike[str]) -> tuple[Tensor, bool]:
    """Read one character from a picture: light on black, its longer side 40 of 48 pixels, in the middle.

    All the ink of the picture counts but specks, for a character may be of strokes far from each other. A sheet of
    paper is cropped out of its surroundings, uneven light is evened out, and strokes of a thin pen are broadened.

    Args:
        path: see :func:`sigconv.signals.image.ink.decode`.

    Returns:
        The character, uint8 (1, 48, 48), ink up to 255 on 0; and whether it was dark on light and had to be inverted.

    Raises:
        UsageError: no such file, no picture, or no ink in it.
    """
    picture = decode(path)
    character, inverted = as_it_is(picture, _is_framed) or _framed(picture, path)
    return torch.from_numpy(character).unsqueeze(0), inverted


def _framed(picture: Picture, path: str | PathLike[str]) -> tuple[NDArray[np.uint8], bool]:
    light, inverted = light_ink(picture)
    ink = ink_of(light)
    pieces = pieces_of(ink)
    if not pieces.area.any():
        raise UsageError(f"no character found in {path}; it needs to be larger, or to stand out more from its ground")
    return framed(to_bytes(broadened(cropped(ink, pieces.area[pieces.labels] > 0), STROKE)))[0], inverted


def _is_framed(picture: Picture) -> bool:
    ink = to_bytes(picture)
    return ink.shape == (SIZE, SIZE) and bool(ink.any()) and np.array_equal(framed(ink)[0], ink)


def framed(ink: NDArray[Any]) -> NDArray[Any]:
    """(1, SIZE, SIZE) uint8: the character in the middle, its longer side `INK` pixels.

    Args:
        ink: (height, width) uint8, paper 0; what is around the character is cut off. There must be ink.
    """
    rows, columns = np.nonzero(ink.any(1))[0], np.nonzero(ink.any(0))[0]
    drawn = scaled(ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], INK)
    height, width = drawn.shape
    picture = np.zeros((1, SIZE, SIZE), np.uint8)
    top, left = (SIZE - height) // 2, (SIZE - width) // 2
    picture[0, top : top + height, left : left + width] = drawn
    return picture
