"""Figures for a report, as HTML that needs no other file and follows the page's colours."""

import base64
import io
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup, escape
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgba
from matplotlib.figure import Figure
from matplotlib.image import imsave
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator
from torch import Tensor

from sigconv.train.measures import ACCURACY, WORD_ERRORS

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
    """Plots of the loss and errors in training and validation, where measured, and of the seconds, for each epoch."""
    numbers = [epoch["epoch"] for epoch in epochs]
    figures = []
    with rc_context(STYLE):
        for title, name, scale in CURVES:
            splits = {split: colour for split, colour in SPLITS.items() if f"{split}/{name}" in epochs[0]}
            if not splits:
                continue
            figure, axes = _plot(title)
            for split, colour in splits.items():
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
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8, min_n_ticks=1))
    axes.grid(axis="y")
    return figure, axes


# The curves over the epochs: a title, the name of the measure, and how its values are converted.
CURVES: Sequence[tuple[str, str, Callable[[float], float]]] = (
    ("Loss, nats", "loss", float),
    ("Errors, %", ACCURACY.name, ACCURACY.error),
    ("Word error rate, %", WORD_ERRORS.name, WORD_ERRORS.error),
)
SPLITS = {"train": BLUE, "validation": ORANGE}


def bars(groups: str, wrong: Mapping[str, tuple[float, int]]) -> Markup:
    """A bar for the errors of each group, in per cent, labelled with the number of examples they were measured on."""
    names, errors = list(wrong), [error for error, _ in wrong.values()]
    texts = [f"{error:.1f} % of {tested:,}" for error, tested in wrong.values()]
    with rc_context(STYLE):
        figure = Figure((5.2, 0.26 * len(names) + 0.8), layout="constrained")
        axes = figure.subplots()
        drawn = axes.barh(names, errors, color=RED, alpha=0.6, height=0.7)
        axes.bar_label(drawn, texts, padding=4, fontsize=9)
        axes.set(xlabel="errors, %", xlim=(0, max(1.3 * max(errors), 1)))
        axes.margins(y=0.5 / max(len(names), 1))
        axes.invert_yaxis()
        axes.tick_params(axis="y", length=0)
        return svg(figure, groups)


def by_amount(change: str, errors: Mapping[float, float], unchanged: float, axis: str) -> Markup:
    """Errors in per cent against the amount of a change, and those without one as a horizontal line."""
    with rc_context(STYLE):
        figure, axes = _plot("Errors, %")
        axes.plot(list(errors), list(errors.values()), color=RED, marker="o", label="changed")
        axes.axhline(unchanged, color=INK, alpha=0.4, linestyle="--", label="as it is")
        axes.set(xlabel=axis, ylim=(0, None), xticks=list(errors))
        axes.legend(frameon=False)
        return svg(figure, change)


def image(signal: Tensor) -> Markup:
    """A picture (channels, height, width), in the colours of `rgb`."""
    return png(rgb(signal))


def rgb(signal: Tensor) -> np.ndarray:
    """(height, width, 3) uint8 of (channels, height, width), uint8 or in [0, 1], dark is 0; one channel is grey, three
    are red, green, blue."""
    pixels = signal.detach().cpu().numpy()
    scaled = pixels if pixels.dtype == np.uint8 else (255 * np.clip(pixels, 0, 1)).astype(np.uint8)
    grey = scaled if len(scaled) == 3 else np.repeat(scaled[:1], 3, 0)
    return np.moveaxis(grey, 0, -1)


def kernel(weight: Tensor, largest: float) -> Markup:
    """Weights (channels, ..., height, width), all planes side by side: blue below zero, red above, white at zero."""
    planes = weight.detach().float().cpu().numpy().reshape(-1, *weight.shape[-2:]) / max(largest, 1e-12)
    above, below = np.clip(planes, 0, 1)[..., None], np.clip(-planes, 0, 1)[..., None]
    white, red, blue = np.full(3, 255), np.array([203, 24, 29]), np.array([33, 102, 172])
    colours = white + above * (red - white) + below * (blue - white)
    return png(beside(list(colours.astype(np.uint8))))


def beside(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """(height, widths, 4) uint8: pictures (height, width, 3) from left to right, transparent gaps between them."""
    height, width = pictures[0].shape[:2]
    gap = np.zeros((height, max(1, width // 32), 4), np.uint8)
    opaque = [np.dstack([picture, np.full((height, width), 255, np.uint8)]) for picture in pictures]
    return np.hstack([part for picture in opaque for part in (gap, picture)][1:])


def _log_where_positive(axes: Axes) -> None:
    values = np.concatenate([line.get_ydata() for line in axes.lines])
    if len(values) > 1 and (values > 0).all():
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.yaxis.set_minor_locator(NullLocator())


def fade(colour: str, least: float = 0.15, most: float = 0.95) -> LinearSegmentedColormap:
    """A colour map from nearly transparent to opaque, so that it suits both a light page and a dark one."""
    return LinearSegmentedColormap.from_list("fade", [to_rgba(colour, least), to_rgba(colour, most)])


def png(pixels: np.ndarray) -> Markup:
    """An inline image of (height, width, 3) or, with transparency, (height, width, 4) uint8."""
    buffer = io.BytesIO()
    imsave(buffer, np.ascontiguousarray(pixels), format="png")
    data = base64.b64encode(buffer.getvalue()).decode()
    return Markup('<img class="pixels" alt="" src="data:image/png;base64,{}">').format(data)


def svg(figure: Figure, name: str) -> Markup:
    """Inline SVG without a fixed size; its ids do not clash with those of figures with another `name`."""
    buffer = io.StringIO()
    with rc_context({"svg.hashsalt": name}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # letters stay text: the browser has its fonts
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    svg = text[text.index("<svg") :].replace(INK, "currentColor")
    width = float(re.search(r'width="([\d.]+)pt"', svg)[1])  # type: ignore[index]
    svg = re.sub(r'(width|height)="[\d.]+pt" ?', "", svg, count=2)
    svg = re.sub(r' id="([^"]+)"', lambda match: match[0] if f"#{match[1]}" in svg else "", svg)
    return Markup(svg.replace("<svg", f'<svg class="{escape(name)}" style="max-width:{width * 4 / 3:.0f}px"', 1))
