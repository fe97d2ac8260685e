"""Crops a sheet of paper, or a board, out of a photograph that shows its surroundings too."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sigconv.signals.image.picture import PAPER_SIZE, Picture, shrink, to_bytes

LEAST = 0.1  # smallest share of the picture that a sheet covers
FRAME = 0.05  # largest share of the picture's edge that a sheet may touch
STRAIGHT = 0.9  # how much of a sheet and of the figure between its corners both have (of a digit, under 0.87)
INK = 0.002, 0.25  # smallest share of a sheet that is written on (a lamp or a window has less), and the largest
EDGE = 0.015  # of the longest side: how much is trimmed off around a sheet, where it is uneven


def sheet_alone(picture: Picture) -> Picture:
    """The sheet alone, if the picture shows a whole one against a different background; else the picture itself.

    A sheet has one tone, four corners and something written on it, and is lighter or darker than its background. Any
    background left in the corners of the crop gets the tone of the sheet next to it.
    """
    outline = _outline(picture)
    if outline is None:
        return picture
    x, y, width, height = cv2.boundingRect(outline)
    mask = cv2.fillPoly(np.zeros(picture.shape, np.uint8), [outline], 1)
    edge = 2 * round(EDGE * max(picture.shape)) + 1
    mask = cv2.erode(mask, np.ones((edge, edge), np.uint8), borderValue=(0,))[y : y + height, x : x + width]
    sheet = picture[y : y + height, x : x + width]
    near = (0, 0), max(sheet.shape) / 20
    weight = cv2.GaussianBlur(mask.astype(np.float32), *near)
    around = cv2.GaussianBlur(sheet * mask, *near) / np.maximum(weight, 1e-3)
    return np.where(mask > 0, sheet, np.where(weight > 1e-3, around, np.median(sheet[mask > 0]))).astype(np.float32)


def _outline(picture: Picture) -> NDArray[np.int32] | None:
    """The sheet's corners (4, 1, 2), x and y in the picture; None if there is no sheet."""
    small = shrink(picture, PAPER_SIZE)
    tones = cv2.GaussianBlur(to_bytes(small), (5, 5), 0)
    _, light = cv2.threshold(tones, 0, 1, cv2.THRESH_OTSU)
    for mask in (light, 1 - light):
        edge = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
        if edge.mean() > FRAME:
            continue
        outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        if outlines and _is_sheet(largest := max(outlines, key=cv2.contourArea), mask):
            return np.rint(_corners(largest) * (max(picture.shape) / max(small.shape))).astype(np.int32)
    return None


def _corners(outline: Any) -> Any:
    hull = cv2.convexHull(outline)
    return cv2.approxPolyDP(hull, 0.04 * cv2.arcLength(hull, True), True)


def _is_sheet(outline: Any, mask: NDArray[Any]) -> bool:
    if cv2.contourArea(outline) < LEAST * mask.size or not is_four_cornered(outline, mask.shape):
        return False
    inside = cv2.erode(filled(outline, mask.shape), np.ones((5, 5), np.uint8), borderValue=(0,)) > 0
    least, most = INK
    return bool(inside.any()) and bool(least < 1 - mask[inside].mean() < most)


def is_four_cornered(outline: Any, shape: tuple[int, ...]) -> bool:
    """Whether an outline in a picture of this shape is that of a figure with four corners and straight sides."""
    corners = _corners(outline)
    if len(corners) != 4:
        return False
    real, straight = filled(outline, shape) > 0, filled(corners, shape) > 0
    return bool(np.sum(real & straight) >= STRAIGHT * np.sum(real | straight))


def filled(outline: Any, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """A picture of this shape that is 1 within the outline, and 0 elsewhere."""
    return np.asarray(cv2.fillPoly(np.zeros(shape, np.uint8), [outline], 1), np.uint8)
