"""Tables, for a terminal or in Markdown."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """A table whose first ``left`` columns are left-aligned, all others right-aligned; ``foot`` is a row of sums."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    left: int = 1
    foot: Sequence[str] = ()

    def __str__(self) -> str:
        widths = [max(map(len, column)) for column in zip(self.header, *self.rows, *self._foot, strict=True)]
        rule = ["-" * width for width in widths]
        lines = [self.header, rule, *self.rows, *(line for sums in self._foot for line in (rule, sums))]
        return "\n".join(self._line(cells, widths) for cells in lines)

    def markdown(self) -> str:
        rule = ["---" if column < self.left else "--:" for column in range(len(self.header))]
        return "\n".join(f"| {' | '.join(cells)} |" for cells in (self.header, rule, *self.rows, *self._foot))

    @property
    def _foot(self) -> list[Sequence[str]]:
        return [self.foot] if self.foot else []

    def _line(self, cells: Sequence[str], widths: Sequence[int]) -> str:
        names = map(str.ljust, cells[: self.left], widths[: self.left])
        numbers = map(str.rjust, cells[self.left :], widths[self.left :])
        return "  ".join([*names, *numbers]).rstrip()
