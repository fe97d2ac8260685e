"""Figures for a report, as HTML that needs no other file and follows the page's colours."""

import base64
import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup, escape
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, LogNorm
from matplotlib.figure import Figure
from matplotlib.image import imsave
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator
from torch import Tensor

INK = "#010203"  # stands for the text colour of the page
BLUE, ORANGE, RED = "#3b82f6", "#f59e0b", "#ef4444"
STYLE: Any = {
    "font.family": "sans-serif",
    "font.size": 10,
    "svg.fonttype": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "grid.alpha": 0.15,
    "lines.linewidth": 1.8,
    "lines.markersize": 3.5,
    **dict.fromkeys(
        ["text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color", "grid.color"], INK
    ),
}


def curves(epochs: Sequence[Mapping[str, float]]) -> list[Markup]:
    """Loss and errors of training and validation, and the seconds, of each epoch."""
    numbers = [epoch["epoch"] for epoch in epochs]
    figures = []
    with rc_context(STYLE):
        for title, name, scale in (("Loss, nats", "loss", float), ("Errors, %", "accuracy", _error)):
            figure, axes = _plot(title)
            for split, colour in (("train", BLUE), ("validation", ORANGE)):
                values = [scale(epoch[f"{split}/{name}"]) for epoch in epochs]
                axes.plot(numbers, values, color=colour, label=split, marker="o" if len(epochs) <= 30 else "")
            _log_where_positive(axes)
            axes.legend(frameon=False)
            figures.append(svg(figure, name))
        figure, axes = _plot("Seconds an epoch")
        axes.bar(numbers, [epoch["seconds"] for epoch in epochs], color=BLUE, alpha=0.6, width=0.7)
        figures.append(svg(figure, "seconds"))
    return figures


def _plot(title: str) -> tuple[Figure, Axes]:
    figure = Figure((4.2, 3), layout="constrained")
    axes = figure.subplots()
    axes.set(title=title, xlabel="epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    axes.grid(axis="y")
    return figure, axes


def _error(accuracy: float) -> float:
    return 100 * (1 - accuracy)


def confusion_matrix(counts: Sequence[Sequence[int]], labels: Sequence[str]) -> Markup:
    """Rows are the true classes; mistakes are coloured by the logarithm of their number."""
    matrix = np.array(counts)
    size, classes = 0.44 if len(labels) <= 20 else 0.28, len(labels)
    mistakes = np.where(np.eye(classes, dtype=bool), 0, matrix)
    with rc_context(STYLE):
        figure = Figure((classes * size + 1.7, classes * size + 0.9), layout="constrained")
        axes = figure.subplots()
        axes.pcolormesh(np.ma.masked_equal(mistakes, 0), cmap=fade(RED), norm=LogNorm(0.5, max(mistakes.max(), 2)))
        axes.pcolormesh(np.ma.masked_where(~np.eye(classes, dtype=bool), matrix), cmap=fade(BLUE, 0.18, 0.18))
        if classes <= 20:
            for (row, column), count in np.ndenumerate(matrix):
                if count:
                    axes.text(column + 0.5, row + 0.5, f"{count}", ha="center", va="center", fontsize=9)
        places = np.arange(classes) + 0.5
        axes.set_xticks(places, labels, rotation=0 if max(map(len, labels)) <= 3 else 90)
        axes.set_yticks(places, labels)
        axes.set(xlabel="answer of the network", ylabel="true class", aspect="equal")
        axes.xaxis.set_label_position("top")
        axes.xaxis.tick_top()
        axes.invert_yaxis()
        right = axes.secondary_yaxis("right")
        recall = matrix.diagonal() / np.maximum(matrix.sum(1), 1)
        right.set_yticks(places, [f"{share:.1%}" for share in recall])
        right.set_ylabel("right")
        for side in (axes, right):
            side.tick_params(length=0)
            for spine in side.spines.values():
                spine.set_visible(False)
        return svg(figure, "confusion")


def shares(values: Mapping[str, tuple[float, int]]) -> Markup:
    """A bar for the accuracy of each name, beside the number of examples that it was measured on."""
    names = list(values)
    with rc_context(STYLE):
        figure = Figure((5.2, 0.26 * len(names) + 0.8), layout="constrained")
        axes = figure.subplots()
        errors = [_error(accuracy) for accuracy, _ in values.values()]
        bars = axes.barh(names, errors, color=RED, alpha=0.6, height=0.7)
        axes.bar_label(
            bars,
            [f"{error:.1f} % of {tested:,}" for error, (_, tested) in zip(errors, values.values(), strict=True)],
            padding=4,
            fontsize=9,
        )
        axes.set(xlabel="errors, %", xlim=(0, max(1.3 * max(errors), 1)))
        axes.margins(y=0.5 / max(len(names), 1))
        axes.invert_yaxis()
        axes.tick_params(axis="y", length=0)
        return svg(figure, "shares")


def image(signal: Tensor) -> Markup:
    """A picture (channels, height, width), dark is 0; one channel is grey, three are red, green, blue."""
    pixels = signal.detach().cpu().numpy()
    scaled = pixels if pixels.dtype == np.uint8 else (255 * np.clip(pixels, 0, 1)).astype(np.uint8)
    grey = scaled if len(scaled) == 3 else np.repeat(scaled[:1], 3, 0)
    return png(np.moveaxis(grey, 0, -1))


def kernel(weight: Tensor, largest: float) -> Markup:
    """Weights (channels, height, width), the channels side by side: blue below zero, red above, white at zero."""
    flat = np.hstack(list(weight.detach().float().cpu().numpy())) / max(largest, 1e-12)
    above, below = np.clip(flat, 0, 1)[..., None], np.clip(-flat, 0, 1)[..., None]
    white, red, blue = np.full(3, 255), np.array([203, 24, 29]), np.array([33, 102, 172])
    colours = white + above * (red - white) + below * (blue - white)
    return png(colours.astype(np.uint8))


def _log_where_positive(axes: Axes) -> None:
    values = np.concatenate([line.get_ydata() for line in axes.lines])
    if len(values) > 1 and (values > 0).all():
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.yaxis.set_minor_locator(NullLocator())


def fade(colour: str, least: float = 0.15, most: float = 0.95) -> LinearSegmentedColormap:
    """From nearly transparent to opaque, so that it suits a light page and a dark one."""
    rgb = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return LinearSegmentedColormap.from_list("fade", [(*rgb, least), (*rgb, most)])


def png(pixels: np.ndarray) -> Markup:
    """(height, width, 3) uint8."""
    buffer = io.BytesIO()
    imsave(buffer, np.ascontiguousarray(pixels), format="png")
    data = base64.b64encode(buffer.getvalue()).decode()
    return Markup('<img class="pixels" alt="" src="data:image/png;base64,{}">').format(data)


def svg(figure: Figure, name: str) -> Markup:
    """Inline SVG without a size of its own; its ids are apart from those of figures of another `name`."""
    buffer = io.StringIO()
    with rc_context({"svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    svg = text[text.index("<svg") :].replace(INK, "currentColor")
    width = float(re.search(r'width="([\d.]+)pt"', svg)[1])  # type: ignore[index]
    svg = re.sub(r'(width|height)="[\d.]+pt" ?', "", svg, count=2)
    svg = re.sub(r' id="([^"]+)"', lambda match: match[0] if f"#{match[1]}" in svg else "", svg)
    return Markup(svg.replace("<svg", f'<svg class="{escape(name)}" style="max-width:{width * 4 / 3:.0f}px"', 1))
