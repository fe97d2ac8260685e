"""The measurements of a run as a picture: how fast each case's training step is, and how much memory it keeps."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

from sigconv.bench.contestant import COMPILE, SIGCONV, TORCH
from sigconv.bench.report import Report
from sigconv.bench.result import BEST, STEP, Result
from sigconv.names import known

WIDTH, AROUND, ROW = 11.0, 1.5, 0.21  # inches: of the picture, above and below the rows, of a row
BLUE, GREY, PALE = "#3b82f6", "#6b7280", "#e5e7eb"
MARKS: dict[str, dict[str, Any]] = {
    BEST: {"marker": "o", "facecolor": "none", "edgecolor": GREY, "label": "torch.nn in its best layout"},
    COMPILE: {"marker": "^", "facecolor": "none", "edgecolor": GREY, "label": "torch.compile"},
    SIGCONV: {"marker": "o", "facecolor": BLUE, "edgecolor": BLUE, "label": "sigconv"},
}


def save(report: Report, path: Path, kind: str) -> None:
    """Write the picture in a format such as "png" or "svg".

    Raises:
        UsageError: matplotlib does not know the format.
    """
    picture = draw(report)
    picture.savefig(path, format=known("format of pictures", kind, picture.canvas.get_supported_filetypes()), dpi=150)


def draw(report: Report) -> Figure:
    """A row for each case: its training step's speed and its bytes, relative to torch.nn in its default layout."""
    results = report.results
    figure = Figure(figsize=(WIDTH, AROUND + ROW * max(1, len(results))), layout="constrained")
    speed, memory = figure.subplots(1, 2, sharey=True, width_ratios=[3, 1])
    _rows(speed, results)
    _speed(speed, results)
    _memory(memory, results)
    figure.suptitle(f"{report.machine}", x=0.01, ha="left", fontsize=8, wrap=True)
    return figure


def _rows(axes: Axes, results: Sequence[Result]) -> None:
    axes.set_yticks(range(len(results)), [result.name for result in results], fontsize=8)
    axes.set_ylim(max(1, len(results)) - 0.5, -0.5)


def _speed(axes: Axes, results: Sequence[Result]) -> None:
    ratios = [result.to_torch(STEP) for result in results]
    axes.hlines(range(len(results)), 1, ratios, color=BLUE, alpha=0.4)
    for name, mark in MARKS.items():
        there = [(ratio, row) for row, result in enumerate(results) if (ratio := result.ratio(name, STEP)) is not None]
        if there:
            axes.scatter(*zip(*there, strict=True), s=26, zorder=3, **mark)
    axes.axvline(1, color=GREY, linewidth=0.8)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("forward + backward, times as fast as torch.nn in its default layout")
    if results:
        axes.legend(loc="lower right", fontsize=8, frameon=False)
    _finish(axes, results)


def _memory(axes: Axes, results: Sequence[Result]) -> None:
    saved = [(row, result.figures[TORCH].saved, result.figures[SIGCONV].saved) for row, result in enumerate(results)]
    shares = {row: ours / theirs for row, theirs, ours in saved if theirs}  # a first layer keeps nothing
    axes.barh(list(shares), list(shares.values()), height=0.5, color=BLUE, alpha=0.6)
    axes.axvline(1, color=GREY, linewidth=0.8)
    axes.set_xlim(left=0)
    axes.set_xlabel("bytes kept, as a share")
    _finish(axes, results)


def _finish(axes: Axes, results: Sequence[Result]) -> None:
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=PALE)
    axes.set_axisbelow(True)
    for row in range(1, len(results)):
        if results[row].suite != results[row - 1].suite:
            axes.axhline(row - 0.5, color=GREY, linewidth=0.8, linestyle=":")
