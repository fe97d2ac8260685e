"""The measures by which runs are judged."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

RESAMPLES = 2000


@dataclass(frozen=True)
class Measure:
    """A test result that is given in per cent.

    Attributes:
        name: key in the metrics and their files.
        better: "max" if larger values are better, "min" if smaller ones are.
        unit: text after a value in per cent.
    """

    name: str
    better: Literal["max", "min"]
    unit: str

    def say(self, value: float, width: int = 0) -> str:
        return f"{value:{width}.2%} {self.unit}"

    def error(self, value: float) -> float:
        """What is wrong, in per cent: small differences between high accuracies can be seen only in the errors."""
        return 100 * (value if self.better == "min" else 1 - value)

    @property
    def error_unit(self) -> str:
        """Text after an error in per cent."""
        return self.unit if self.better == "min" else "wrong"


ACCURACY = Measure("accuracy", "max", "right")
WORD_ERRORS = Measure("wer", "min", "word errors")


def measure_of(metrics: Mapping[str, Any], prefix: str = "") -> Measure:
    """The measure that these metrics contain, under its name after `prefix`."""
    return next(measure for measure in (ACCURACY, WORD_ERRORS) if f"{prefix}{measure.name}" in metrics)


def shares(
    measure: Measure, names: Sequence[str | None], counts: Iterable[float], totals: Iterable[float]
) -> dict[str, dict[str, float]]:
    """For each known name, the measure, sum of counts / sum of totals, and the number of examples `tested`."""
    groups: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for name, *pair in zip(names, counts, totals, strict=True):
        if name is not None:
            groups[name].append((pair[0], pair[1]))
    return {
        name: {measure.name: sum(count for count, _ in of) / sum(total for _, total in of), "tested": len(of)}
        for name, of in sorted(groups.items())
    }


def bootstrap_interval(counts: np.ndarray, totals: np.ndarray) -> tuple[float, float]:
    """The 95 % bootstrap interval of sum(counts) / sum(totals), resampling the examples with replacement.

    Percentiles of `RESAMPLES` resamples (Efron 1979), which are the same at each call.
    """
    generator = np.random.default_rng(0)
    draws = (generator.integers(len(counts), size=len(counts)) for _ in range(RESAMPLES))
    low, high = np.percentile([counts[draw].sum() / totals[draw].sum() for draw in draws], [2.5, 97.5])
    return float(low), float(high)
