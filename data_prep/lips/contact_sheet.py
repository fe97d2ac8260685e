"""A picture of cropped mouths, the worst first, which shows at a glance whether the mouth was found."""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageDraw

from sigconv.signals.letters import letters
from sigconv.signals.lips.track import Quality

MOST = 600  # tiles on a sheet
COLUMNS = 20
WIDTH = 160  # pixels of a mouth
CAPTION, MARGIN, TITLE = 34, 4, 30
POOR = 0.8  # score below which a tile is framed in red; a mouth that is found well scores about 0.9
RED, GREY, WHITE = (60, 60, 230), (90, 90, 90), (255, 255, 255)  # BGR
LETTER = 7  # approximate width in pixels


class Tile(NamedTuple):
    """A clip on the sheet: its name, how well its mouth was found, and the mouth, uint8 (1 or 3, H, W)."""

    name: str
    quality: Quality
    mouth: np.ndarray


def draw_sheet(tiles: Sequence[Tile], total: int) -> np.ndarray:
    """uint8 (height, width, 3), BGR: the tiles row by row, the poor ones framed in red.

    Args:
        tiles: at least one, all of the same shape.
        total: number of clips; if there are more than tiles, a title says so.
    """
    drawn = [_draw(tile) for tile in tiles]
    columns = min(COLUMNS, len(drawn))
    drawn += [np.full_like(drawn[0], 255)] * (-len(drawn) % columns)
    sheet = np.vstack([np.hstack(drawn[i : i + columns]) for i in range(0, len(drawn), columns)])
    if len(tiles) == total:
        return sheet
    sheet = cv2.copyMakeBorder(sheet, TITLE, 0, 0, 0, cv2.BORDER_CONSTANT, value=WHITE)
    return _written(sheet, [(f"the worst {len(tiles):,} of {total:,} clips", (MARGIN, 10), GREY)])


def _draw(tile: Tile) -> np.ndarray:
    pixels = np.ascontiguousarray(tile.mouth.transpose(1, 2, 0)[:, :, ::-1])  # RGB to BGR
    height = round(WIDTH * pixels.shape[0] / pixels.shape[1])
    mouth = cv2.resize(pixels, (WIDTH, height), interpolation=cv2.INTER_CUBIC)
    if mouth.ndim == 2:
        mouth = cv2.cvtColor(mouth, cv2.COLOR_GRAY2BGR)
    poor = tile.quality.score < POOR
    frame = cv2.copyMakeBorder(mouth, MARGIN, MARGIN, MARGIN, MARGIN, cv2.BORDER_CONSTANT, value=RED if poor else WHITE)
    out = cv2.copyMakeBorder(frame, 0, CAPTION, 0, 0, cv2.BORDER_CONSTANT, value=WHITE)
    name = tile.name[-(WIDTH // LETTER) :]  # clips differ in the end of their names
    below = frame.shape[0]
    score = f"{tile.quality.score:.2f}", (MARGIN, below + 15), RED if poor else GREY
    return _written(out, [(name, (MARGIN, below), GREY), score])


def _written(picture: np.ndarray, texts: Sequence[tuple[str, tuple[int, int], tuple[int, int, int]]]) -> np.ndarray:
    """The picture with texts in it, each at (x, y) from its upper left corner and in a colour, BGR."""
    image = Image.fromarray(picture)  # the order of colours does not matter here
    pen = ImageDraw.Draw(image)
    for text, at, colour in texts:
        pen.text(at, text, colour, letters(11))
    return np.array(image)
