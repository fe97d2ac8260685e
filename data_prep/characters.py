"""The 3,755 common Chinese characters."""

# Level 1 of GB 2312-80: rows 16 to 55 of the table, of which the last lacks five cells.
CHARACTERS = tuple(
    bytes([row, cell]).decode("gb2312")
    for row in range(0xB0, 0xD8)
    for cell in range(0xA1, 0xFF)
    if (row, cell) < (0xD7, 0xFA)
)
