"""What the runs of one command line (-m) amount to: their results, and means over those that differ in chance alone."""

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from statistics import mean, stdev
from typing import Any

from scipy.stats import t as student

from sigconv.table import Table
from sigconv.train.measures import measure_of
from sigconv.train.robustness import CHANGES
from sigconv.train.run import Run

CONFIDENCE = 0.95
AVERAGED = re.compile(r"seed=|data\.split=(speaker|fold)\b")


def summarise(runs: Sequence[Run], failed: Sequence[Sequence[str]] = ()) -> dict[str, Any]:
    """Each run's result, and the means of runs that differ only in the seed, or in the speaker or fold left out.

    Where speakers or folds vary, the seeds of each are averaged first, and the mean and its interval are taken over
    speakers or folds: the seeds of one share its test examples, so that they are not independent of each other.

    Args:
        runs: finished ones.
        failed: the overrides of each that failed.
    """
    rows = [_row(run) for run in runs]
    return {
        "runs": rows,
        "failed": failed,
        "means": [
            {"overrides": list(overrides), "runs": len(members), "splits": len({_split(row) for row in members})}
            | {name: _mean(members, name) for name in (measure_of(members[0]).name, "train_seconds")}
            | mean_changes(members)
            for overrides, members in grouped(rows).items()
            if len(members) > 1
        ],
    }


def _row(run: Run) -> dict[str, Any]:
    metrics = run.metrics
    measure = measure_of(metrics["test"])
    return {
        "folder": str(run.folder),
        "overrides": run.overrides,
        measure.name: metrics["test"][measure.name],
        "train_seconds": metrics["train_seconds"],
        "weights": metrics["weights"],
    } | {name: metrics[name] for name in CHANGES if name in metrics}


def confidence_interval(values: Sequence[float]) -> float:
    """Half the width of the 95 % confidence interval of the mean of two or more values, by Student's t."""
    return float(student.ppf((1 + CONFIDENCE) / 2, len(values) - 1)) * stdev(values) / len(values) ** 0.5


def table(summary: dict[str, Any]) -> str:
    """The summary for a terminal; what all runs have in common is said once."""
    rows, means = summary["runs"], summary["means"]
    shared, name = names(rows)
    changes = [(change, amount) for change, shares in mean_changes(rows).items() for amount in shares]

    def changed(row: dict[str, Any]) -> list[str]:
        return [f"{row[change][amount]:.2%}" for change, amount in changes]

    lines = []
    for row in rows:
        measure = measure_of(row)
        lines.append((name(row), measure.say(row[measure.name]), f"{row['train_seconds']:.1f} s", *changed(row)))
    for group in means:
        measure, seconds = measure_of(group), group["train_seconds"]
        share = group[measure.name]
        lines.append(
            (
                f"mean of {group['runs']} {name(group)}",
                f"{share['mean']:.2%} ± {measure.say(share['confidence95'])}",
                f"{seconds['mean']:.1f} ± {seconds['confidence95']:.1f} s",
                *changed(group),
            )
        )
    heads = [f"{change} {amount}{CHANGES[change].unit}" for change, amount in changes]
    text = [str(Table(("", "test", "training", *heads), lines))]
    if means:
        text.append(f"(± half of the 95 % confidence interval of the mean, by Student's t{_over(means)})")
    return "\n".join(["", f"{len(rows)} runs {' '.join(shared)}", *text])


def _over(means: Sequence[dict[str, Any]]) -> str:
    """What the means are taken over, in words, if it is not the single runs."""
    averaged = any(1 < group["splits"] < group["runs"] for group in means)
    return ", over speakers or folds, the seeds of each averaged first" if averaged else ""


def mean_changes(rows: Sequence[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """For each change of the test signals that was measured in all rows, the mean accuracy at each amount."""
    common = [change for change in CHANGES if rows and all(change in row for row in rows)]
    samples = _samples(rows)
    return {
        change: _mean_shares([_mean_shares([row[change] for row in sample]) for sample in samples]) for change in common
    }


def _mean_shares(shares: Sequence[dict[str, float]]) -> dict[str, float]:
    common = [amount for amount in shares[0] if all(amount in row for row in shares)]
    return {amount: mean(row[amount] for row in shares) for amount in common}


def grouped(rows: Sequence[dict[str, Any]]) -> dict[tuple[str, ...], list[dict[str, Any]]]:
    """The rows, grouped by their overrides other than those that are averaged over."""
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        groups[tuple(override for override in row["overrides"] if not AVERAGED.match(override))].append(row)
    return groups


def _samples(rows: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """The rows in parts that are independent of each other: by split, if that varies, else each on its own."""
    splits: dict[str | None, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        splits[_split(row)].append(row)
    return list(splits.values()) if len(splits) > 1 else [[row] for row in rows]


def _split(row: dict[str, Any]) -> str | None:
    """The override of data.split, of which Hydra takes the last."""
    return next((override for override in reversed(row["overrides"]) if override.startswith("data.split=")), None)


def names(rows: Sequence[dict[str, Any]]) -> tuple[list[str], Callable[[dict[str, Any]], str]]:
    """The overrides that all runs share, and a function that names a run or a mean by its other overrides."""
    shared = [override for override in rows[0]["overrides"] if all(override in row["overrides"] for row in rows)]

    def name(entry: dict[str, Any]) -> str:
        return " ".join(override for override in entry["overrides"] if override not in shared)

    return shared, name


def _mean(rows: Sequence[dict[str, Any]], name: str) -> dict[str, float]:
    values = [mean(row[name] for row in sample) for sample in _samples(rows)]
    return {"mean": mean(values), "confidence95": confidence_interval(values)}
