"""What was measured in a run: printed, as data, and in Markdown."""

import textwrap
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from sigconv.bench import tables
from sigconv.bench.machine import Machine
from sigconv.bench.result import Result
from sigconv.bench.summary import summarise
from sigconv.table import Table

WIDTH = 120  # of a terminal's text; tables may be wider


@dataclass
class Report:
    """``wrong`` names the cases whose contestants differ, which are not measured; ``notes`` say what else to know."""

    machine: Machine
    results: list[Result] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Add a note, unless it is there already."""
        if text not in self.notes:
            self.notes.append(text)

    def to_dict(self) -> dict[str, Any]:
        return {
            "machine": asdict(self.machine),
            "results": [result.to_dict(self.machine.rates) for result in self.results],
            "summaries": [asdict(s) for results in self._suites().values() for s in summarise(results)],
            "wrong": self.wrong,
            "notes": self.notes,
        }

    def __str__(self) -> str:
        wrong = [f"DIFFERENT, so not measured: {text}" for text in self.wrong]
        parts = [*self._parts(str.upper, str), *wrong]
        return "\n\n".join(part if "\n" in part else textwrap.fill(part, WIDTH) for part in parts)

    def markdown(self) -> str:
        """A section for each suite, for use below a second-level heading."""
        wrong = [f"Different, so not measured: {text}" for text in self.wrong]
        return "\n\n".join([*self._parts("### {}".format, Table.markdown), *wrong]) + "\n"

    def _parts(self, heading: Callable[[str], str], write: Callable[[Table], str]) -> Iterator[str]:
        yield f"{self.machine}."
        for name, results in self._suites().items():
            yield heading(name)
            yield write(tables.times(results))
            yield write(tables.memory_and_rates(results, self.machine.rates))
            yield write(tables.summary(summarise(results)))
        yield tables.LEGEND
        yield from self.notes

    def _suites(self) -> dict[str, list[Result]]:
        names = dict.fromkeys(result.suite for result in self.results)
        return {name: [result for result in self.results if result.suite == name] for name in names}
