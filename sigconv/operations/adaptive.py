"""Adaptive pooling: windows of uneven size, laid out so that plain pooling serves them."""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral

import torch
from torch import Tensor

from sigconv.errors import UsageError
from sigconv.geometry import Geometry
from sigconv.padding import pad_constant
from sigconv.window import Sizes, Window

AdaptiveSizes = tuple[int | None, ...]


@dataclass(frozen=True)
class EvenWindows:
    """Windows laid out side by side: ``geometry`` pools them, ``samples`` is how many samples each really holds.

    ``index[axis]`` gives the input's sample for each sample of the layout, None where they are the same.
    """

    geometry: Geometry
    samples: Tensor
    index: tuple[Tensor | None, ...]
    size: Sizes

    def original_index(self, winner: Tensor) -> Tensor:
        """Turn flat indices into the layout into flat indices into the input."""
        flat = torch.zeros_like(winner)
        stride = math.prod(self.geometry.size)
        for laid_out, n, index in zip(self.geometry.size, self.size, self.index, strict=True):
            stride //= laid_out
            place = winner // stride % laid_out
            flat = flat * n + (place if index is None else index[place])
        return flat


def even_windows(x: Tensor, sizes: Sizes, fill: float) -> tuple[Tensor, EvenWindows]:
    """Lay out the windows of adaptive pooling to ``sizes``, each padded at its end with ``fill`` to the longest.

    x (batch, channel, *size) -> (batch, channel, *sizes times the longest window)
    """
    size = tuple(x.shape[2:])
    kernel, counts, indices = [], [], []
    for axis, (n, m) in enumerate(zip(size, sizes, strict=True)):
        place = torch.arange(m, device=x.device)
        first, end = place * n // m, ((place + 1) * n + m - 1) // m
        longest, index = n // m, None
        if n % m:
            longest = max(-(-(o + 1) * n // m) - o * n // m for o in range(m))
            within = first[:, None] + torch.arange(longest, device=x.device)
            index = torch.where(within < end[:, None], within, n).flatten()
            one_behind = [(0, int(a == axis)) for a in range(len(size))]
            x = pad_constant(x, one_behind, fill)[(slice(None),) * (axis + 2) + (index,)]
        kernel.append(longest)
        counts.append((end - first).reshape(-1, *[1] * (len(size) - 1 - axis)))
        indices.append(index)
    ndim = len(kernel)
    window = Window(tuple(kernel), tuple(kernel), ((0, 0),) * ndim, (1,) * ndim)
    geometry = Geometry(window, tuple(x.shape[2:]))
    return x, EvenWindows(geometry, functools.reduce(torch.mul, counts), tuple(indices), size)


def parse_sizes(output_size: int | Sequence[int | None] | None, ndim: int | None, owner: object) -> AdaptiveSizes:
    """The output size along each axis; None where the input's is kept."""
    if isinstance(output_size, str) or not isinstance(output_size, Sequence):
        if ndim is None:
            raise UsageError(f"{owner}: output size {output_size} fits any rank; give a tuple or say ndim=1, 2, 3, ...")
        output_size = (output_size,) * ndim
    if ndim is not None and len(output_size) != ndim:
        raise UsageError(f"{owner}: output size has {len(output_size)} entries {tuple(output_size)} for {ndim} axes")
    for axis, m in enumerate(output_size):
        if not isinstance(m, Integral | torch.SymInt | None):
            raise UsageError(f"{owner}: output size on spatial axis {axis} is {m!r}, not a whole number or None")
        if m is not None and m < 1:
            raise UsageError(f"{owner}: output size on spatial axis {axis} is {m}; it must be at least 1")
    return tuple(output_size)
