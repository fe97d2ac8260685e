"""Turns any picture of a digit, drawn or photographed, into one that looks like MNIST's."""

from os import PathLike
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sigconv.errors import UsageError
from sigconv.signals.image.picture import PAPER_SIZE, Picture, shrink, to_bytes
from sigconv.signals.image.sheet import sheet_alone

DIGIT_SIZE = 1024  # longest side, in pixels, of the picture in which the digit is looked for
BOX = 20 / 28  # share of MNIST's field that a digit's longest side takes
STROKE = 0.08  # thinnest stroke, as a share of the digit's longest side: 19 of 20 in MNIST are broader


def read_digit(path: str | PathLike[str], size: int = 28) -> tuple[Tensor, bool]:
    """Read one digit from a picture and normalise it as MNIST was: light on black, in the middle of its field.

    As in LeCun, Bottou, Bengio and Haffner (1998), "Gradient-based learning applied to document recognition", the
    ink is scaled to a box of 20/28 of the field, its proportions kept, and placed with its centre of mass in the
    middle. Before that, a sheet of paper is cropped out of its surroundings, uneven light is evened out, dirt is
    removed, and the strokes of a thin pen are broadened.

    Args:
        path: a PNG, JPEG or other picture that OpenCV decodes, of any size, in grey or colour, of 8 or 16 bits,
            its background transparent or not; a light digit on a dark ground or a dark one on a light ground.
        size: side of the field, in pixels. A picture of this size that is already normalised is not changed further.

    Returns:
        The digit, uint8 (1, size, size), ink up to 255 on 0; and whether it was dark on light and had to be inverted.

    Raises:
        UsageError: no such file, no picture, no digit in it, or more than one.
    """
    picture = sheet_alone(_decode(Path(path)))
    inverted = _is_dark_on_light(picture)
    if inverted:
        picture = 1 - picture
    if picture.shape != (size, size) or not _is_normalised(picture):
        digit = _cut_out(_ink(picture), path)
        picture = _normalise(_broaden(digit), size)
    return torch.from_numpy(to_bytes(picture)).unsqueeze(0), inverted


def _decode(path: Path) -> Picture:
    """The picture in grey, at most DIGIT_SIZE long."""
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
        picture = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if len(data) else None
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}); check the path") from error
    except cv2.error:
        picture = None
    if picture is None or picture.dtype.kind != "u":
        raise UsageError(
            f"{path} is damaged, or not a picture of a known kind; save it as PNG or JPEG "
            "(a telephone that takes HEIC can export JPEG)"
        )
    if picture.ndim == 3 and picture.shape[2] == 4:
        grey = _on_paper(picture)
    else:  # decoded once more, because only this mode turns a photo upright by its EXIF data
        upright = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH)
        assert upright is not None
        grey = _unit(upright)
    return shrink(grey, DIGIT_SIZE)


def _on_paper(bgra: NDArray[Any]) -> Picture:
    """Grey, with the transparent part filled by paper: in the opaque part's tone, or, if that is ink, contrasting."""
    grey, alpha = _unit(cv2.cvtColor(bgra, cv2.COLOR_BGRA2GRAY)), _unit(bgra[..., 3])
    opaque = alpha > 0.5
    tone = np.median(grey[opaque]) if opaque.any() else np.float32(0)
    paper = tone if opaque.mean() > 0.5 else np.float32(tone < 0.5)
    return grey * alpha + paper * (1 - alpha)


def _unit(values: NDArray[Any]) -> Picture:
    return values.astype(np.float32) / np.float32(np.iinfo(values.dtype).max)


def _framed(picture: Picture) -> tuple[Picture, int]:
    """A small copy whose border is replicated into a margin, and the margin's width, a quarter of the longest side.

    The border is mostly paper, so this puts paper around a digit that fills its picture.
    """
    small = shrink(picture, PAPER_SIZE)
    margin = -(-max(small.shape) // 4)
    return cv2.copyMakeBorder(small, margin, margin, margin, margin, cv2.BORDER_REPLICATE), margin


def _is_dark_on_light(picture: Picture) -> bool:
    """Whether the ink is dark: it covers less than the paper, so without broad shading the tones are skewed towards it.

    The margin decides for a digit that fills its picture, the picture alone for a page that extends beyond it.
    """
    framed, margin = _framed(picture)

    def skewness(tones: Picture) -> float:
        detail = tones - cv2.GaussianBlur(tones, (0, 0), margin / 2)
        detail -= detail.mean()
        return float((detail**3).mean() / ((detail**2).mean() ** 1.5 + 1e-9))

    return skewness(framed) + skewness(framed[margin:-margin, margin:-margin]) < 0


def _ink(picture: Picture) -> Picture:
    """How much of each pixel is ink, 0..1, for light ink: what is lighter than the paper. All 0 without ink.

    The paper is a grey-scale opening: anything light that is narrower than a quarter of the picture vanishes from it,
    while the gradients of uneven light and the edges of shadows stay.
    """
    small, margin = _framed(picture)
    paper = cv2.erode(small, np.ones((margin, margin), np.uint8))
    # Two pixels wider than the erosion, so that a shadow's edge, blurred by the upscaling, does not look like ink.
    paper = cv2.dilate(paper, np.ones((margin + 2, margin + 2), np.uint8))
    paper = cv2.resize(paper[margin:-margin, margin:-margin], picture.shape[::-1])
    smooth = cv2.GaussianBlur(picture, (0, 0), max(picture.shape) / 500)
    ink = ((smooth - paper) / np.maximum(1 - paper, 1e-3)).clip(0, 1)
    _, mask = cv2.threshold(to_bytes(ink), 0, 1, cv2.THRESH_OTSU)
    if mask.min() == mask.max():
        return np.zeros_like(ink)
    outside = ink[mask == 0]
    ground, full = np.median(outside), np.median(ink[mask == 1])
    grain = 1.5 * np.median(abs(outside - ground))  # the standard deviation of the paper's noise
    if full - ground < max(0.05, 6 * grain):
        return np.zeros_like(ink)
    return ((ink - ground) / (full - ground)).clip(0, 1)


def _cut_out(ink: Picture, path: str | PathLike[str]) -> Picture:
    """The digit alone, cropped: the largest piece of ink and the pieces beside it, without dirt."""
    mask = (ink > 0.5).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask)
    _, _, width, height, area = stats.T
    reach = np.maximum(width, height)
    area[reach <= max(ink.shape) / 40] = 0  # specks
    area[0] = 0  # the paper
    main = int(area.argmax())
    if not area[main]:
        raise UsageError(f"no digit found in {path}; it needs to be larger, or to stand out more from its ground")
    distance = cv2.distanceTransform((labels != main).astype(np.uint8), cv2.DIST_L2, 5)
    beside = np.unique(labels[distance <= reach[main] / 4])
    pieces = beside[area[beside] > 0.01 * area[main]]
    if np.delete(area, pieces).max() > 0.34 * area[main]:
        raise UsageError(f"{path} shows several shapes far from each other; crop it to one digit")
    digit = np.isin(labels, pieces).astype(np.uint8)
    x, y, w, h = cv2.boundingRect(digit)
    soft = ink * cv2.dilate(digit, np.ones((5, 5), np.uint8))  # with the pale edge of the strokes
    return soft[y : y + h, x : x + w]


def _broaden(digit: Picture) -> Picture:
    """Broaden strokes so thin that they would fade when the digit is scaled down."""
    mask = cv2.copyMakeBorder((digit > 0.5).astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT)
    outlines, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    # A stroke of length l and breadth b has the area l * b and an outline of 2 * l.
    breadth = 2 * mask.sum() / sum(cv2.arcLength(outline, True) + 1 for outline in outlines)
    grow = int(np.ceil((STROKE * max(digit.shape) - breadth) / 2))
    if grow <= 0:
        return digit
    roomy = cv2.copyMakeBorder(digit, grow, grow, grow, grow, cv2.BORDER_CONSTANT)
    return cv2.dilate(roomy, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * grow + 1, 2 * grow + 1)))


def _normalise(digit: Picture, size: int) -> Picture:
    scale = BOX * size / max(digit.shape)
    height, width = (max(1, round(side * scale)) for side in digit.shape)
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = cv2.resize(digit, (width, height), interpolation=method)
    x, y = _centre_of_mass(small)
    left = int(np.clip(round(size / 2 - x), 0, size - width))
    top = int(np.clip(round(size / 2 - y), 0, size - height))
    field = np.zeros((size, size), np.float32)
    field[top : top + height, left : left + width] = small
    return field


def _is_normalised(picture: Picture) -> bool:
    box, middle = BOX * len(picture), len(picture) / 2
    _, _, width, height = cv2.boundingRect((picture > 0.02).astype(np.uint8))
    fills_box = box - 2 < max(width, height) < box + 1
    return bool(fills_box and np.allclose(_centre_of_mass(picture), middle, rtol=0, atol=1))


def _centre_of_mass(picture: Picture) -> tuple[float, float]:
    moments = cv2.moments(picture)
    return moments["m10"] / moments["m00"], moments["m01"] / moments["m00"]
