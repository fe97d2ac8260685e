"""Turns any picture of a digit, drawn or photographed, into one that looks like MNIST's."""

from functools import partial
from os import PathLike

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sigconv.errors import UsageError
from sigconv.signals.image.ink import Pieces, as_it_is, broadened, cropped, decode, ink_of, light_ink, pieces_of
from sigconv.signals.image.picture import Picture, scaled, to_bytes
from sigconv.signals.image.sheet import filled, is_four_cornered

BOX = 20 / 28  # share of MNIST's field that a digit's longest side takes
ALIKE = 0.6  # height of the lower of two digits beside each other, as a share of the other's, and
ASIDE = 0.2  # how much of the narrower one may be above or below the other
HOLLOW = 0.4  # largest share of a box that its lines take, and
IN_A_BOX = 0.25  # smallest share of its longer side that a digit in it takes
STROKE = 0.08  # thinnest stroke, as a share of the digit's longest side: 19 of 20 in MNIST are broader


def read_digit(path: str | PathLike[str], size: int = 28) -> tuple[Tensor, bool]:
    """Read one digit from a picture and normalise it as MNIST was: light on black, in the middle of its field.

    As in LeCun, Bottou, Bengio and Haffner (1998), "Gradient-based learning applied to document recognition", the
    ink is scaled to a box of 20/28 of the field, its proportions kept, and placed with its centre of mass in the
    middle. Before that, a sheet of paper is cropped out of its surroundings, uneven light is evened out, dirt and a
    printed box around the digit are removed, and the strokes of a thin pen are broadened.

    Args:
        path: a PNG, JPEG or other picture that OpenCV decodes, of any size, in grey or colour, of 8 or 16 bits,
            its background transparent or not; a light digit on a dark ground or a dark one on a light ground.
        size: side of the field, in pixels. A picture of this size that is already normalised is not changed further.

    Returns:
        The digit, uint8 (1, size, size), ink up to 255 on 0; and whether it was dark on light and had to be inverted.

    Raises:
        UsageError: no such file, no picture, no digit in it, or more than one.
    """
    picture = decode(path)
    digit, inverted = as_it_is(picture, partial(_is_normalised, size=size)) or _normalised(picture, size, path)
    return torch.from_numpy(digit).unsqueeze(0), inverted


def _normalised(picture: Picture, size: int, path: str | PathLike[str]) -> tuple[NDArray[np.uint8], bool]:
    light, inverted = light_ink(picture)
    digit = broadened(_cut_out(ink_of(light), path), STROKE)
    return to_bytes(_scaled_into_field(digit, size)), inverted


def _cut_out(ink: Picture, path: str | PathLike[str]) -> Picture:
    """The digit alone, cropped: the largest piece of ink and the pieces beside it, without dirt, or a box around it."""
    pieces = pieces_of(ink)
    area = np.where([_is_box(pieces, number) for number in range(len(pieces.area))], 0, pieces.area)
    main = int(area.argmax())
    if not area[main]:
        raise UsageError(f"no digit found in {path}; it needs to be larger, or to stand out more from its ground")
    distance = cv2.distanceTransform((pieces.labels != main).astype(np.uint8), cv2.DIST_L2, 5)
    beside = np.unique(pieces.labels[distance <= pieces.reach[main] / 4])
    wanted = beside[area[beside] > 0.01 * area[main]]
    if np.delete(area, wanted).max() > 0.34 * area[main] or (area[_are_like_another(pieces, main)] > 0).any():
        raise UsageError(f"{path} shows several shapes beside each other; crop it to one digit and a margin around it")
    return cropped(ink, np.isin(pieces.labels, wanted))


def _is_box(pieces: Pieces, number: int) -> bool:
    """Whether a piece is a line with four corners around another piece, as forms have one for each digit."""
    if not pieces.area[number]:
        return False
    line = (pieces.labels == number).astype(np.uint8)
    outlines, _ = cv2.findContours(line, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    inside = filled(outlines[0], line.shape) > 0
    others = np.setdiff1d(pieces.labels[inside], [number])
    holds_another = (pieces.reach[others] * (pieces.area[others] > 0)).max(initial=0) > IN_A_BOX * pieces.reach[number]
    return holds_another and pieces.area[number] < HOLLOW * inside.sum() and is_four_cornered(outlines[0], line.shape)


def _are_like_another(pieces: Pieces, main: int) -> NDArray[np.bool_]:
    """Which pieces are about as tall as `main`, and left or right of it."""
    share = pieces.height / pieces.height[main]
    right = pieces.left + pieces.width
    shared = np.minimum(right, right[main]) - np.maximum(pieces.left, pieces.left[main])
    apart = shared < ASIDE * np.minimum(pieces.width, pieces.width[main])
    return (share > ALIKE) & (share < 1 / ALIKE) & apart


def _scaled_into_field(digit: Picture, size: int) -> Picture:
    small = scaled(digit, BOX * size)
    height, width = small.shape
    x, y = _centre_of_mass(small)
    left = int(np.clip(round(size / 2 - x), 0, size - width))
    top = int(np.clip(round(size / 2 - y), 0, size - height))
    field = np.zeros((size, size), np.float32)
    field[top : top + height, left : left + width] = small
    return field


def _is_normalised(picture: Picture, size: int) -> bool:
    if picture.shape != (size, size):
        return False
    box, middle = BOX * size, size / 2
    _, _, width, height = cv2.boundingRect((picture > 0.02).astype(np.uint8))
    fills_box = box - 2 < max(width, height) < box + 1
    return bool(fills_box and np.allclose(_centre_of_mass(picture), middle, rtol=0, atol=1))


def _centre_of_mass(picture: Picture) -> tuple[float, float]:
    """x and y. Not by cv2.moments, which takes a picture two pixels wide for the points of an outline."""
    y, x = np.indices(picture.shape)
    return float(np.average(x, weights=picture)), float(np.average(y, weights=picture))
