"""Ink on paper: from a file of any picture to how much of each pixel is ink."""

from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.ExifTags import Base

from sigconv.errors import UsageError
from sigconv.signals.image.picture import PAPER_SIZE, Picture, shrink, to_bytes
from sigconv.signals.image.sheet import sheet_alone
from sigconv.signals.no_file import why_no_file

LONGEST = 1024  # longest side, in pixels, of the picture in which ink is looked for
SPECK = 1 / 40  # of the longest side: pieces of ink no longer than this are dirt


def as_it_is(picture: Picture, normalised: Callable[[Picture], bool]) -> tuple[NDArray[np.uint8], bool] | None:
    """The picture, if it is normalised already, or else its negative, if that is; and whether it is the negative."""
    for ink, inverted in ((picture, False), (1 - picture, True)):
        if normalised(ink):
            return to_bytes(ink), inverted
    return None


def light_ink(picture: Picture) -> tuple[Picture, bool]:
    """The picture with its ink light on a dark ground, cropped to the sheet of paper; and whether it was inverted."""
    picture = sheet_alone(picture)
    inverted = _is_dark_on_light(picture)
    return 1 - picture if inverted else picture, inverted


def decode(path: str | PathLike[str]) -> Picture:
    """The picture in grey, at most LONGEST long.

    Args:
        path: a PNG, JPEG or other picture that OpenCV decodes, of any size, in grey or colour, of 8 or 16 bits,
            its background transparent or not.

    Raises UsageError: no such file, or no picture.
    """
    path = Path(path)
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
        picture = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if len(data) else None
    except OSError as error:
        why = why_no_file(path) or f"{error.strerror}; check the path"
        raise UsageError(f"{path} cannot be read: {why}") from error
    except cv2.error:
        picture = None
    if picture is None or picture.dtype.kind != "u":
        raise UsageError(
            f"{path} is damaged, or not a picture of a known kind; save it as PNG or JPEG "
            "(a telephone that takes HEIC can export JPEG)"
        )
    if picture.ndim == 3 and picture.shape[2] == 4:
        grey = _upright(_on_paper(picture), data)
    else:  # decoded once more, because only this mode turns a photo upright by its EXIF data
        upright = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH)
        assert upright is not None
        grey = _unit(upright)
    return shrink(grey, LONGEST)


def _on_paper(bgra: NDArray[Any]) -> Picture:
    """Grey, with the transparent part filled by paper: in the opaque part's tone, or, if that is ink, contrasting."""
    grey, alpha = _unit(cv2.cvtColor(bgra, cv2.COLOR_BGRA2GRAY)), _unit(bgra[..., 3])
    opaque = alpha > 0.5
    tone = np.median(grey[opaque]) if opaque.any() else np.float32(0)
    paper = tone if opaque.mean() > 0.5 else np.float32(tone < 0.5)
    return grey * alpha + paper * (1 - alpha)


def _upright(grey: Picture, data: NDArray[np.uint8]) -> Picture:
    """Grey, turned as the EXIF data in the picture's file say."""
    turned = Image.fromarray(grey)
    with suppress(UnidentifiedImageError):  # of a kind that OpenCV alone knows
        turned.getexif()[Base.Orientation] = Image.open(BytesIO(data.tobytes())).getexif().get(Base.Orientation, 1)
    return np.asarray(ImageOps.exif_transpose(turned))


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


def ink_of(picture: Picture) -> Picture:
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
    written = _darker_part(ink)
    if not written.any():
        return np.zeros_like(ink)
    outside = ink[~written]
    ground, full = np.median(outside), _tone_of_pen(ink[written])
    grain = 1.5 * np.median(abs(outside - ground))  # the standard deviation of the paper's noise
    if full - ground < max(0.05, 6 * grain):
        return np.zeros_like(ink)
    return ((ink - ground) / (full - ground)).clip(0, 1)


def in_full_tone(ink: Picture) -> Picture:
    """Scanned ink, 0..1 on paper of 0, as dark as if the pen were black."""
    written = _darker_part(ink)
    return (ink / _tone_of_pen(ink[written])).clip(0, 1) if written.any() else ink


def _darker_part(ink: Picture) -> NDArray[np.bool_]:
    """The ink's pixels, parted from the paper's by Otsu's threshold; none if all are alike."""
    darker = cv2.threshold(to_bytes(ink), 0, 1, cv2.THRESH_OTSU)[1] == 1
    return darker & ~darker.all()


def _tone_of_pen(ink: NDArray[Any]) -> float:
    """The tone of what is written, among (N,) pixels of ink. The lines of squared paper are pale, and may be most."""
    strong = _darker_part(ink[None])[0]
    pen, lines = ink[strong], ink[~strong]
    if len(lines) > 2 * len(pen) > 0 and np.median(pen) > 2 * np.median(lines):
        return float(np.median(pen))
    return float(np.median(ink))


class Pieces(NamedTuple):
    """The connected pieces of ink: `labels` says for each pixel of which, the rest is a number for each piece.

    Paper, which is piece 0, and specks of dirt have the area 0.
    """

    labels: NDArray[Any]
    left: NDArray[Any]
    width: NDArray[Any]
    height: NDArray[Any]
    area: NDArray[Any]

    @property
    def reach(self) -> NDArray[Any]:
        return np.maximum(self.width, self.height)


def pieces_of(ink: Picture) -> Pieces:
    _, labels, stats, _ = cv2.connectedComponentsWithStats((ink > 0.5).astype(np.uint8))
    left, _, width, height, area = stats.T
    pieces = Pieces(labels, left, width, height, area)
    area[pieces.reach <= SPECK * max(ink.shape)] = 0
    area[0] = 0
    return pieces


def cropped(ink: Picture, wanted: NDArray[np.bool_]) -> Picture:
    """The wanted pixels of ink, with the pale edge of their strokes, cut out of the picture."""
    mask = wanted.astype(np.uint8)
    x, y, w, h = cv2.boundingRect(mask)
    soft = ink * cv2.dilate(mask, np.ones((5, 5), np.uint8))
    return soft[y : y + h, x : x + w]


def broadened(ink: Picture, stroke: float) -> Picture:
    """Strokes thinner than a share ``stroke`` of the longer side, which would fade when scaled down, are thickened."""
    mask = cv2.copyMakeBorder((ink > 0.5).astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT)
    outlines, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    # A stroke of length l and breadth b has the area l * b and an outline of 2 * l.
    breadth = 2 * mask.sum() / sum(cv2.arcLength(outline, True) + 1 for outline in outlines)
    grow = int(np.ceil((stroke * max(ink.shape) - breadth) / 2))
    if grow <= 0:
        return ink
    roomy = cv2.copyMakeBorder(ink, grow, grow, grow, grow, cv2.BORDER_CONSTANT)
    return cv2.dilate(roomy, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * grow + 1, 2 * grow + 1)))
