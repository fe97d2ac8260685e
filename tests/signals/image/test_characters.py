"""Somebody's own pictures of characters come out as those of a corpus do."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from sigconv.errors import UsageError
from sigconv.signals.image.characters import INK, SIZE, framed, read_character


def three(side: int, thickness: int) -> np.ndarray:
    """Light ink on black, off the middle: three strokes, each far from the others."""
    picture = np.zeros((side, side), np.uint8)
    for height, width in ((0.2, 0.4), (0.4, 0.3), (0.6, 0.5)):
        ends = [(int(side * (0.35 + sign * width / 2)), int(side * height)) for sign in (-1, 1)]
        cv2.line(picture, *ends, 255, thickness, cv2.LINE_AA)
    return picture


def read(folder: Path, picture: np.ndarray) -> tuple[np.ndarray, bool]:
    assert cv2.imwrite(str(folder / "character.png"), picture)
    character, inverted = read_character(folder / "character.png")
    return character.numpy(), inverted


@pytest.mark.parametrize("thickness", [6, 30])
def test_all_strokes_are_there_and_framed(tmp_path: Path, thickness: int) -> None:
    character, inverted = read(tmp_path, 255 - three(600, thickness))
    assert inverted
    assert (character.shape, character.dtype) == ((1, SIZE, SIZE), np.uint8)
    across = (character[0, :, 24] > 127).astype(int)
    assert (np.diff(across) == 1).sum() == 3
    rows, columns = np.nonzero(character[0] > 127)
    assert columns.max() - columns.min() + 1 in (INK - 1, INK)
    assert abs(rows.max() + rows.min() - SIZE + 1) <= 2
    assert character.max() > 200  # a thin pen does not fade


def test_a_picture_of_a_corpus_comes_as_it_is(tmp_path: Path) -> None:
    framed_once = framed(framed(three(96, 8))[0])  # as long as it is framed, and no longer side is rounded
    character, inverted = read(tmp_path, framed_once[0])
    assert not inverted
    assert np.array_equal(character, framed_once)


def test_paper_without_ink(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no character found in"):
        read(tmp_path, np.full((300, 300), 230, np.uint8))
