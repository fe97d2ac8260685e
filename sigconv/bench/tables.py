"""Measurements as tables, for a terminal or in Markdown."""

from collections.abc import Sequence

from sigconv.bench.contestant import TORCH
from sigconv.bench.result import FORWARD, PASSES, STEP, Result
from sigconv.bench.roofline import Rates
from sigconv.bench.summary import RIVALS, Summary
from sigconv.table import Table

WORDS = {FORWARD: "forward", STEP: "fwd+bwd"}
LEGEND = (
    "Milliseconds are torch.nn's in its default layout, ratios torch.nn's time over the contestant's: above 1 is "
    "faster. best: torch.nn in its best layout; of best: sigconv against that; spread: the largest interquartile range "
    "relative to its median; MB: kept between forward and backward pass; GFLOP/s and share of the roofline: sigconv's. "
    "A forward pass alone is without gradients."
)


def times(results: Sequence[Result]) -> Table:
    """For each case and pass, torch's time and the ratios to it."""
    header = ["case"]
    for timed in PASSES:
        header += [f"{WORDS[timed]} ms", *RIVALS, "of best"]
    rows = []
    for result in results:
        cells = [result.name]
        for timed in PASSES:
            cells.append(f"{result.figures[TORCH].times[timed].median * 1e3:.3g}")
            cells += [_ratio(result.ratio(rival, timed)) for rival in RIVALS] + [_ratio(result.to_best(timed))]
        rows.append([*cells, f"{max(map(result.spread, PASSES)):.0%}"])
    return Table([*header, "spread"], rows)


def memory_and_rates(results: Sequence[Result], rates: Rates) -> Table:
    """For each case, the memory that is kept, and how close ours comes to what the machine can do."""
    header = ["case", "torch MB", *(f"{rival} MB" for rival in RIVALS)]
    header += [f"{WORDS[timed]} {what}" for timed in PASSES for what in ("GFLOP/s", "share")]
    rows = []
    for result in results:
        cells = [result.name, *(_megabytes(result, name) for name in (TORCH, *RIVALS))]
        for timed in PASSES:
            rate = result.rate(timed)
            cells += [f"{rate / 1e9:,.3g}" if rate else "-", f"{result.share(timed, rates):.0%}"]
        rows.append(cells)
    return Table(header, rows)


def summary(summaries: Sequence[Summary]) -> Table:
    """Geometric means and worst cases."""
    header = ["kind", "cases", "pass", *RIVALS, "of best", "worst", "its case", "worst of best", "its case"]
    rows = [
        [
            s.kind,
            str(s.cases),
            WORDS[s.timed],
            *(_ratio(s.means[rival]) for rival in RIVALS),
            _ratio(s.to_best),
            _ratio(s.worst[0]),
            s.worst[1],
            _ratio(s.worst_to_best[0]),
            s.worst_to_best[1],
        ]
        for s in summaries
    ]
    return Table(header, rows)


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}" if value < 10 else f"{value:.1f}"


def _megabytes(result: Result, contestant: str) -> str:
    figures = result.of(contestant)
    return "-" if figures is None else f"{figures.saved / 1e6:,.2f}"
