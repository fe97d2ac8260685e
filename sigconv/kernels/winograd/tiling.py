"""How a convolution's outputs are cut into tiles, each of which is computed from values at a few points.

Along an axis with a dilation of d the outputs fall into d interleaved parts, each of which is tiled separately.
"""

import functools
import math
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import numpy as np

from sigconv.geometry import Geometry
from sigconv.kernels.winograd.matrices import PLACES
from sigconv.window import Sizes

MOST_POINTS = 144
"""The most points of a tile. With 6 along each of three axes rounding errors are 6 times those of a plain sum."""

TRANSFORM, WEIGHTS = 24, 20
"""The measured cost of transforming one element of a tile, and one weight, in multiply-adds."""


def products_at_point(in_channels: float, out_channels: float) -> float:
    """The cost of a tile at one point, in units of one product."""
    return in_channels * out_channels + TRANSFORM * (in_channels + out_channels)


@dataclass(frozen=True)
class Tiling:
    """A way to cut a geometry into tiles: how many points a tile has along each axis."""

    geometry: Geometry
    points: Sizes

    @property
    def outputs(self) -> Sizes:
        """The outputs of a tile along each axis."""
        return tuple(n - k + 1 for n, k in zip(self.points, self.geometry.window.kernel, strict=True))

    @property
    def tiles(self) -> int:
        """The number of tiles in one signal."""
        return math.prod(len(self.starts(axis)) for axis in range(len(self.points)))

    def starts(self, axis: int) -> list[int]:
        """The first output of each tile along an axis."""
        size, dilation = self.geometry.output_size[axis], self.geometry.window.dilation[axis]
        step = self.outputs[axis] * dilation
        return [start for part in range(dilation) for start in range(part, size, step)]

    def products(self, batch: int, in_channels: int, out_channels: int) -> float:
        """The cost of the whole convolution, in units of one product."""
        of_tiles = batch * self.tiles * products_at_point(in_channels, out_channels)
        return math.prod(self.points) * (of_tiles + WEIGHTS * in_channels * out_channels)

    def seen(self) -> np.ndarray:
        """(tile, point): which sample of the flattened input each tile has at each point, -1 outside."""
        before = [pair[0] for pair in self.geometry.window.padding]
        return self._places(self.points, before, self.geometry.size)

    def given(self) -> np.ndarray:
        """(tile, output of it): which sample of the flattened output that is, -1 outside."""
        return self._places(self.outputs, [0] * len(self.points), self.geometry.output_size)

    def _places(self, counts: Sizes, before: list[int], size: Sizes) -> np.ndarray:
        index, inside = np.zeros((1, 1), np.int64), np.ones((1, 1), bool)
        for axis, (count, first, n) in enumerate(zip(counts, before, size, strict=True)):
            reach = np.arange(count) * self.geometry.window.dilation[axis] - first
            here = np.add.outer(self.starts(axis), reach)
            index = (index[:, None, :, None] * n + here[None, :, None, :]).reshape(len(index) * len(here), -1)
            good = (here >= 0) & (here < n)
            inside = (inside[:, None, :, None] & good[None, :, None, :]).reshape(index.shape)
        return np.where(inside, index, -1)


def is_tiled(geometry: Geometry) -> bool:
    """Whether a geometry can be cut into tiles: without strides, and with windows that there are points for."""
    window = geometry.window
    return max(window.kernel) > 1 and all(s == 1 for s in window.stride) and bool(_choices(window.kernel))


@functools.cache
def _choices(kernel: Sizes) -> list[Sizes]:
    """The numbers of points that tiles can have along each axis."""
    along = ([1] if k == 1 else [points for points, places in PLACES.items() if k in places] for k in kernel)
    return [points for points in product(*along) if math.prod(points) <= MOST_POINTS]


@functools.lru_cache(maxsize=256)
def tiling(geometry: Geometry, batch: int, in_channels: int, out_channels: int) -> Tiling:
    """The tiling that takes the least time."""
    return min(
        (Tiling(geometry, points) for points in _choices(geometry.window.kernel)),
        key=lambda found: found.products(batch, in_channels, out_channels),
    )


class Tiles(NamedTuple):
    """A tiling as compiled loops see it: one-dimensional int64 arrays, and the number of tiles ``per_signal``.

    ``seen`` and ``given`` are flattened; the others have an entry for each axis along which windows have more than one
    place, which in ``of_...`` is the number of a transform.
    """

    per_signal: int
    seen: np.ndarray
    given: np.ndarray
    kernel: np.ndarray
    points: np.ndarray
    outputs: np.ndarray
    of_input: np.ndarray
    of_weight: np.ndarray
    of_output: np.ndarray
    of_error: np.ndarray
    of_sum: np.ndarray


@functools.lru_cache(maxsize=16)  # those of a large picture take some 30 MB
def tiles(found: Tiling) -> Tiles:
    from sigconv.kernels.winograd.combine import OF_ERROR, OF_INPUT, OF_OUTPUT, OF_SUM, OF_WEIGHT

    along = zip(found.points, found.geometry.window.kernel, found.outputs, strict=True)
    points, kernel, outputs = zip(*(sizes for sizes in along if sizes[0] > 1), strict=True)
    choices = list(zip(points, kernel, strict=True))
    of_input = [OF_INPUT[n] for n in points]
    others = ([of[choice] for choice in choices] for of in (OF_WEIGHT, OF_OUTPUT, OF_ERROR, OF_SUM))
    numbers = (kernel, points, outputs, of_input, *others)
    per_axis = (np.array(sizes, np.int64) for sizes in numbers)
    return Tiles(found.tiles, found.seen().ravel(), found.given().ravel(), *per_axis)
