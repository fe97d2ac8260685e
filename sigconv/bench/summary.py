"""Summaries of many cases in a few numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import geometric_mean

from sigconv.bench.contestant import COMPILE, SIGCONV
from sigconv.bench.result import BEST, PASSES, Result

ALL = "all"
RIVALS = BEST, COMPILE, SIGCONV


@dataclass(frozen=True)
class Summary:
    """A summary of the cases of one kind, or of a whole suite, in one pass.

    ``means`` are geometric means of each rival's ratios to torch, None where it did not take part in every case.
    ``to_best`` is the same for ours relative to torch in its best layout. ``worst`` and ``worst_to_best`` are our
    lowest ratios, each with the name of its case.
    """

    suite: str
    kind: str
    timed: str
    cases: int
    means: dict[str, float | None]
    to_best: float
    worst: tuple[float, str]
    worst_to_best: tuple[float, str]


def summarise(results: Sequence[Result]) -> list[Summary]:
    """Summaries of each kind of a suite's cases, and of all cases if there are several kinds."""
    kinds = list(dict.fromkeys(result.kind for result in results))
    groups = {kind: [result for result in results if result.kind == kind] for kind in kinds}
    if len(kinds) > 1:
        groups[ALL] = list(results)
    return [_summary(kind, group, timed) for kind, group in groups.items() for timed in PASSES]


def _summary(kind: str, results: Sequence[Result], timed: str) -> Summary:
    return Summary(
        results[0].suite,
        kind,
        timed,
        len(results),
        {rival: _mean([result.ratio(rival, timed) for result in results]) for rival in RIVALS},
        geometric_mean(result.to_best(timed) for result in results),
        min((result.to_torch(timed), result.name) for result in results),
        min((result.to_best(timed), result.name) for result in results),
    )


def _mean(ratios: Sequence[float | None]) -> float | None:
    there = [ratio for ratio in ratios if ratio is not None]
    return geometric_mean(there) if len(there) == len(ratios) else None
