"""A picture of all cropped mouths, the worst first: one look tells whether the mouth was found."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from sigconv.signals.lips.track import Quality

AT_ONCE = 600  # tiles on a sheet
COLUMNS = 20
WIDTH = 160  # pixels of a mouth
CAPTION, MARGIN = 34, 4
POOR = 0.8  # score, below which a tile is framed; what is found well has about 0.9
RED, GREY, WHITE = (60, 60, 230), (90, 90, 90), (255, 255, 255)  # BGR
FONT = cv2.FONT_HERSHEY_SIMPLEX
LETTER = 7  # pixels, about, of a letter at the scale of 0.4


class Tile(NamedTuple):
    """A clip on the sheet: its name, how well its mouth was found, the mouth uint8 (1 or 3, H, W), and notes."""

    name: str
    quality: Quality
    mouth: np.ndarray
    notes: Sequence[str]


def draw_sheets(folder: Path, tiles: Sequence[Tile]) -> None:
    """Draws `contact_sheet.png`, and `contact_sheet_2.png` and so on for each further 600; tiles are of one shape."""
    in_order = sorted(tiles, key=lambda tile: tile.quality.score)
    for number, first in enumerate(range(0, len(in_order), AT_ONCE), 1):
        name = "contact_sheet.png" if number == 1 else f"contact_sheet_{number}.png"
        cv2.imwrite(str(folder / name), draw_sheet(in_order[first : first + AT_ONCE]))


def draw_sheet(tiles: Sequence[Tile]) -> np.ndarray:
    """uint8 (height, width, 3), BGR; row by row, and the poor ones framed in red."""
    drawn = [_draw(tile) for tile in tiles]
    columns = min(COLUMNS, len(drawn))
    drawn += [np.full_like(drawn[0], 255)] * (-len(drawn) % columns)
    return np.vstack([np.hstack(drawn[i : i + columns]) for i in range(0, len(drawn), columns)])


def _draw(tile: Tile) -> np.ndarray:
    pixels = np.ascontiguousarray(tile.mouth.transpose(1, 2, 0)[:, :, ::-1])  # RGB to BGR
    height = round(WIDTH * pixels.shape[0] / pixels.shape[1])
    mouth = cv2.resize(pixels, (WIDTH, height), interpolation=cv2.INTER_CUBIC)
    if mouth.ndim == 2:
        mouth = cv2.cvtColor(mouth, cv2.COLOR_GRAY2BGR)
    poor = tile.quality.score < POOR
    frame = cv2.copyMakeBorder(mouth, MARGIN, MARGIN, MARGIN, MARGIN, cv2.BORDER_CONSTANT, value=RED if poor else WHITE)
    out = cv2.copyMakeBorder(frame, 0, CAPTION, 0, 0, cv2.BORDER_CONSTANT, value=WHITE)
    name = tile.name[-(WIDTH // LETTER) :]  # the end tells clips apart
    for line, (text, colour) in enumerate(((name, GREY), (f"{tile.quality.score:.2f}", RED if poor else GREY))):
        at = (MARGIN, frame.shape[0] + 11 + 15 * line)
        cv2.putText(out, text, at, FONT, 0.4, colour, 1, cv2.LINE_AA)
    return out
