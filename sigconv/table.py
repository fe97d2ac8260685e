"""Tables, for a terminal or in Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """A table whose first ``left`` columns are left-aligned, all others right-aligned."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    left: int = 1

    def __str__(self) -> str:
        widths = [max(map(len, column)) for column in zip(self.header, *self.rows, strict=True)]
        rule = ["-" * width for width in widths]
        return "\n".join(self._line(cells, widths) for cells in (self.header, rule, *self.rows))

    def markdown(self) -> str:
        rule = ["---" if column < self.left else "--:" for column in range(len(self.header))]
        return "\n".join(f"| {' | '.join(cells)} |" for cells in (self.header, rule, *self.rows))

    def _line(self, cells: Sequence[str], widths: Sequence[int]) -> str:
        names = map(str.ljust, cells[: self.left], widths[: self.left])
        numbers = map(str.rjust, cells[self.left :], widths[self.left :])
        return "  ".join([*names, *numbers]).rstrip()
