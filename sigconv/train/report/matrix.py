"""Confusion matrices."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from sigconv.train.report.pictures import BLUE, INK, RED, STYLE, fade, svg

FEW = 20  # classes, whose cells are large


def confusion_matrix(
    counts: Sequence[Sequence[int]],
    labels: Sequence[str],
    groups: Mapping[str, Sequence[str]] | None = None,
    ends: tuple[str, str] = ("true class", "answer of the network"),
    recall: bool = True,
) -> Markup:
    """Rows are the true classes; mistakes are coloured by the logarithm of their number.

    Args:
        groups: the labels in each named group; they stand together, with lines between the groups.
        ends: what the rows and the columns are.
        recall: whether each row ends with its recall, or nothing if it is empty.
    """
    groups = _present(groups or {}, labels)
    order = _by_group(labels, groups)
    matrix, labels = np.array(counts)[np.ix_(order, order)], [labels[i] for i in order]
    size = len(labels) * (0.44 if len(labels) <= FEW else 0.24)
    with rc_context(STYLE):
        figure = Figure((size + 1.7, size + 0.9), layout="constrained")
        axes = figure.subplots()
        _cells(axes, matrix)
        _frame(axes, labels, ends)
        sides: list[Any] = [axes]
        if recall:
            sides.append(_draw_recall(axes, matrix))
        if groups:
            sides += _draw_groups(axes, groups, (0.1 * max(map(len, labels)) + 0.3) / size)
        for side in sides:
            side.tick_params(length=0)
            for spine in side.spines.values():
                spine.set_visible(False)
        return svg(figure, re.sub(r"\W", "_", f"confusion_{ends[0]}"))


def _cells(axes: Axes, matrix: np.ndarray) -> None:
    right, few = np.eye(len(matrix), dtype=bool), len(matrix) <= FEW
    mistakes = np.where(right, 0, matrix)
    axes.pcolormesh(np.ma.masked_equal(mistakes, 0), cmap=fade(RED), norm=LogNorm(0.5, max(mistakes.max(), 2)))
    axes.pcolormesh(np.ma.masked_where(~right, matrix), cmap=fade(BLUE, 0.18, 0.18))
    for (row, column), count in np.ndenumerate(matrix):
        if count:
            text = f"{count}" if few or count < 1000 else f"{count / 1000:.0f}k"
            axes.text(column + 0.5, row + 0.5, text, ha="center", va="center", fontsize=9 if few else 6.5)


def _frame(axes: Axes, labels: Sequence[str], ends: tuple[str, str]) -> None:
    places = np.arange(len(labels)) + 0.5
    axes.set_xticks(places, labels, rotation=0 if max(map(len, labels)) <= 3 else 90)
    axes.set_yticks(places, labels)
    axes.set(xlabel=ends[1], ylabel=ends[0], aspect="equal")
    axes.xaxis.set_label_position("top")
    axes.xaxis.tick_top()
    axes.invert_yaxis()


def _draw_recall(axes: Axes, matrix: np.ndarray) -> Any:
    """The share of each row that is right, on an axis at the right, which it returns."""
    rows = zip(matrix.diagonal(), matrix.sum(1), strict=True)
    shares = [f"{hits / tested:.1%}" if tested else "" for hits, tested in rows]
    right = axes.secondary_yaxis("right")
    right.set_yticks(np.arange(len(matrix)) + 0.5, shares)
    right.set_ylabel("right")
    return right


def _present(groups: Mapping[str, Sequence[str]], labels: Sequence[str]) -> dict[str, list[str]]:
    """Each group's own labels; one that is in several groups belongs to the last of them."""
    owner = {label: name for name, members in groups.items() for label in members if label in labels}
    present = {name: [label for label in groups[name] if owner.get(label) == name] for name in groups}
    return {name: members for name, members in present.items() if members}


def _by_group(labels: Sequence[str], groups: Mapping[str, Sequence[str]]) -> list[int]:
    """The indices of the labels, group by group, and then those that are in none."""
    grouped = [word for words in groups.values() for word in words]
    return sorted(range(len(labels)), key=lambda i: grouped.index(labels[i]) if labels[i] in grouped else len(grouped))


def _draw_groups(axes: Axes, groups: Mapping[str, Sequence[str]], away: float) -> list[Any]:
    """Lines between the groups, and their names `away` from the matrix, as a share of its size; returns the axes that
    hold the names."""
    edges = np.cumsum([0, *(len(words) for words in groups.values())])
    for edge in edges[1:-1]:
        axes.axhline(edge, color=INK, linewidth=0.7, alpha=0.5)
        axes.axvline(edge, color=INK, linewidth=0.7, alpha=0.5)
    middles = (edges[1:] + edges[:-1]) / 2
    rows, columns = axes.get_ylabel(), axes.get_xlabel()
    left, top = axes.secondary_yaxis(-away), axes.secondary_xaxis(1 + away)
    left.set_yticks(middles, list(groups), rotation=90, va="center", fontweight="bold")
    top.set_xticks(middles, list(groups), fontweight="bold")
    left.set_ylabel(rows)
    top.set_xlabel(columns)
    axes.set(xlabel="", ylabel="")
    return [left, top]
