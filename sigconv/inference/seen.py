"""Draws what a network sees, and what matters in it, for signals of one, two or three axes."""

from dataclasses import dataclass

import numpy as np
import torch
from markupsafe import Markup
from matplotlib import colormaps, rc_context
from matplotlib.figure import Figure
from torch import Tensor

from sigconv.train.report import film, pictures
from sigconv.train.report.pictures import BLUE, INK, ORANGE, RED, STYLE, beside, png
from sigconv.train.report.section import evenly

MAPS = 16  # drawn of a layer, at most; with one axis all, as rows
SIDE = 64  # approximate side of a small map in pixels
WIDE = 4  # approximate minimum ratio of width to height for rows of maps
BINS = 600  # of a curve, each drawn from its lowest to its highest sample


@dataclass(frozen=True)
class View:
    """How signals (channels, *size) are drawn: with one axis as rows of channels, with three as frames side by side.

    Attributes:
        upwards: the first row is at the bottom, as with frequencies.
    """

    upwards: bool = False

    def picture(self, x: Tensor, least: Tensor, most: Tensor) -> Markup:
        """Shades from `least`, black, to `most`, white; samples of one channel as a curve."""
        if is_wave(x):
            return wave(x[0])
        return film.row(self._lit(x, least, most))

    def signed(self, x: Tensor) -> Markup:
        """Red above zero, blue below, white at zero."""
        plane = x if x.ndim == 2 else x.mean(0, keepdim=True)
        return pictures.kernel(torch.stack(self._frames(plane)), plane.abs().max().item())

    def glowing(self, x: Tensor, strength: Tensor) -> Markup:
        """x, glowing by `strength` (*size), from 0 to 1; below, a curve of its largest value at each place along the
        last axis or, for a video, along time."""
        if is_wave(x):
            return wave(x[0], strength)
        shares = [heat[0] for heat in self._frames(strength[None] if x.ndim > 2 else strength.expand(len(x), -1))]
        along = strength.movedim(0 if x.ndim > 3 else -1, 0)
        return film.lit(self._lit(x, *x.aminmax()), shares, along.reshape(len(along), -1).amax(1))

    def maps(self, y: Tensor) -> Markup:
        """Some maps of a layer, (maps, *places), the larger a value the brighter; for a video, the middle frame."""
        while y.ndim > 3:
            y = y[:, y.shape[1] // 2]
        each = [y] if y.ndim == 2 else list(y[:MAPS])
        least, most = y.aminmax()
        larger = max(1, SIDE // max(each[0].shape))  # so that the gaps between them are small
        wider = max(1, round(WIDE * len(y) / y.shape[1])) if y.ndim == 2 else 1
        bright = [((self._turned(m) - least) / (most - least).clamp(min=1e-12)).numpy() for m in each]
        coloured = [(255 * colormaps["magma"](b)[..., :3]).astype(np.uint8) for b in bright]
        return png(beside([c.repeat(larger, 0).repeat(larger * wider, 1) for c in coloured]))

    def _lit(self, x: Tensor, least: Tensor, most: Tensor) -> list[np.ndarray]:
        return [pictures.rgb(frame) for frame in self._frames((x - least) / (most - least).clamp(min=1e-6))]

    def _frames(self, x: Tensor) -> list[Tensor]:
        """x as pictures (channels, height, width)."""
        if x.ndim < 4:
            return [self._turned(x[None] if x.ndim == 2 else x)]
        return [self._turned(x[:, i]) for i in evenly(x.shape[1], film.FRAMES)]

    def _turned(self, x: Tensor) -> Tensor:
        return x.flip(-2) if self.upwards else x


def is_wave(x: Tensor) -> bool:
    """Whether x (channels, *size) is samples of one channel, which are drawn as a curve."""
    return x.ndim == 2 and len(x) == 1


def wave(samples: Tensor, strength: Tensor | None = None) -> Markup:
    """The envelope of samples (T,), from lowest to highest in each bin, over a glow of `strength` (T,), if any."""
    bins = [part.aminmax() for part in samples.tensor_split(min(BINS, len(samples)))]
    low, high = torch.tensor(bins).T.numpy()
    with rc_context(STYLE):
        figure = Figure((5.2, 1.2), layout="constrained")
        axes = figure.subplots()
        if strength is not None:
            glow = np.array([part.amax().item() for part in strength.tensor_split(len(bins))])
            bottom, top = low.min(), high.max()
            axes.fill_between(range(len(bins)), bottom, bottom + glow * (top - bottom), color=RED, alpha=0.35)
        axes.fill_between(range(len(bins)), low, high, color=INK, linewidth=0.6)
        axes.set_axis_off()
        axes.margins(0)
        return pictures.svg(figure, "wave")


def waves(signal: Tensor, *causes: Tensor) -> Markup:
    """Samples (T,) and, below, what in them excited a place, each to its own scale; two causes at most."""
    each = signal, *causes
    with rc_context(STYLE):
        figure = Figure((2.6, 0.57 * len(each)), layout="constrained")
        lines = zip(figure.subplots(len(each), sharex=True), each, (INK, BLUE, ORANGE), strict=False)
        for axes, values, colour in lines:
            axes.plot(values.numpy(), color=colour, linewidth=0.9)
            axes.set_axis_off()
        return pictures.svg(figure, "waves")
