"""Plots the results of several runs."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from sigconv.train.measures import Measure, measure_of
from sigconv.train.robustness import CHANGES
from sigconv.train.summary import grouped, mean_changes, names

WIDTH, LINE = 6.0, 0.32  # inches: width of a panel, and height of a bar in the first


def picture(summary: dict[str, Any]) -> Figure:
    """Single runs, and means over several, as bars and curves.

    Runs of another task than the first one's have another measure, and are left out.
    """
    rows, means = [row for row in summary["runs"] if measure_of(summary["runs"][0]).name in row], summary["means"]
    shared, name = names(rows)
    entries = []
    for overrides, members in grouped(rows).items():
        measure = measure_of(members[0]).name
        mean_of = next((m for m in means if m["overrides"] == list(overrides)), None)
        entry = {"name": name({"overrides": overrides}) or "all", "weights": members[0]["weights"]}
        entry[measure] = mean_of[measure] if mean_of else {"mean": members[0][measure]}
        entries.append(entry | mean_changes(members))
    return _draw(entries, " ".join(shared))


def _draw(entries: Sequence[dict[str, Any]], title: str) -> Figure:
    """Bars of the errors; beside them, the errors against the number of weights, if that varies, and against the amount
    of each change of the test signals that was measured.

    Args:
        entries: "name", the measure with its "mean" and, for several runs, "confidence95", "weights", and those of
            `CHANGES` that were measured: accuracy by amount.
    """
    measure = measure_of(entries[0])
    panels: list[Callable[..., None]] = [_bars]
    if len({entry["weights"] for entry in entries}) > 1:
        panels.append(_by_weights)
    panels += [partial(_by_change, name) for name in CHANGES if any(name in entry for entry in entries)]
    figure = Figure(figsize=(WIDTH * len(panels), max(3.2, 1.2 + LINE * len(entries))), layout="constrained")
    for axes, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        panel(axes, entries, measure)
    figure.suptitle(title, x=0.01, ha="left")
    return figure


def _bars(axes: Axes, entries: Sequence[dict[str, Any]], measure: Measure) -> None:
    places = range(len(entries))
    values = [measure.error(entry[measure.name]["mean"]) for entry in entries]
    errors = [100 * entry[measure.name].get("confidence95", 0.0) for entry in entries]
    bars = axes.barh(places, values, xerr=errors, color="#3b82f6", alpha=0.7, error_kw={"capsize": 3})
    axes.bar_label(bars, fmt="%.2f %%", padding=4)
    axes.set_yticks(places, [entry["name"] for entry in entries])
    axes.invert_yaxis()
    axes.set_xlim(0, 1.2 * max(*map(sum, zip(values, errors, strict=True)), 1e-3))
    axes.set_xlabel(f"% {measure.error_unit}")


def _by_weights(axes: Axes, entries: Sequence[dict[str, Any]], measure: Measure) -> None:
    weights = [entry["weights"] for entry in entries]
    for entry in entries:
        axes.plot(entry["weights"], measure.error(entry[measure.name]["mean"]), "o", label=entry["name"])
    axes.set_xscale("log")
    if max(weights) >= 10 * min(weights):  # there are enough powers of ten as labels
        axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("weights")
    _finish(axes, measure)


def _by_change(name: str, axes: Axes, entries: Sequence[dict[str, Any]], measure: Measure) -> None:
    for entry in entries:
        if name in entry:
            amounts, shares = zip(*entry[name].items(), strict=True)
            wrong = [measure.error(share) for share in shares]
            axes.plot([float(amount) for amount in amounts], wrong, "o-", label=entry["name"])
    axes.set_xlabel(CHANGES[name].axis)
    _finish(axes, measure)


def _finish(axes: Axes, measure: Measure) -> None:
    axes.set_ylabel(f"% {measure.error_unit}")
    axes.grid(alpha=0.2)
    axes.legend(frameon=False, fontsize="small")
