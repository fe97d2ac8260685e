"""The 3,755 common Chinese characters, and what their pictures are in a corpus."""

import cv2
import numpy as np

SIZE, INK = 48, 40  # pixels: of a picture, and of the longer side of the character in it

# Level 1 of GB 2312-80: rows 16 to 55 of the table, of which the last lacks five cells.
CHARACTERS = tuple(
    bytes([row, cell]).decode("gb2312")
    for row in range(0xB0, 0xD8)
    for cell in range(0xA1, 0xFF)
    if (row, cell) < (0xD7, 0xFA)
)


def framed(ink: np.ndarray) -> np.ndarray:
    """(1, SIZE, SIZE) uint8: the character in the middle, its longer side `INK` pixels.

    Args:
        ink: (height, width) uint8, paper 0; what is around the character is cut off. There must be ink.
    """
    rows, columns = np.nonzero(ink.any(1))[0], np.nonzero(ink.any(0))[0]
    drawn = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = INK / max(drawn.shape)
    height, width = (max(1, round(scale * side)) for side in drawn.shape)
    drawn = cv2.resize(drawn, (width, height), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    picture = np.zeros((1, SIZE, SIZE), np.uint8)
    top, left = (SIZE - height) // 2, (SIZE - width) // 2
    picture[0, top : top + height, left : left + width] = drawn
    return picture
