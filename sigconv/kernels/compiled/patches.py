"""What the windows of a pooled convolution see, as vectors at offsets in memory.

The padded input is rows, (batch, place, channel), flattened, and a window's weights are laid out alike. A window sees
runs of numbers: all channels of the places that are adjacent along the last axis. A patch is these runs, as vectors of
LANES numbers. The last vector of a run overlaps the one before where its length is not a multiple of LANES, so a run
has at least LANES numbers.
"""

import functools
from typing import NamedTuple

import numpy as np
from torch import Tensor

from sigconv.geometry import Geometry, PooledGeometry
from sigconv.kernels.compiled.windows import LANES, empty_rows, reached, rows, steps
from sigconv.padding import inside


class Patches(NamedTuple):
    """Where patches begin in the padded input of one signal, and the offsets of their vectors from there.

    ``begin`` (pooled place,) is where the patch of the first window pooled there begins, ``shift`` (place of the
    pooling window,) how much further on another's begins, ``offset`` (vector,) where the vectors of a patch are.
    ``weight`` (number of a window,) is the position of each weight, in the weights' own order, among the vectors'
    numbers.
    """

    begin: np.ndarray
    shift: np.ndarray
    offset: np.ndarray
    weight: np.ndarray


@functools.lru_cache(maxsize=256)
def patches(geometry: PooledGeometry, channels: int) -> Patches:
    window, pool = geometry.window, geometry.pool
    apart = steps(channels, geometry.padded_size)
    jumps = apart * window.stride  # from a window to the next one
    before = np.array([pair[0] for pair in pool.padding])
    begin = reached(geometry.output_size, jumps * pool.stride) - before @ jumps
    shift = reached(pool.kernel, jumps * pool.dilation)
    side_by_side = places_of_run(geometry)
    runs = reached((*window.kernel[:-1], window.kernel[-1] // side_by_side), apart * window.dilation)
    length = side_by_side * channels
    starts = np.array([min(start, length - LANES) for start in range(0, length, LANES)])
    number = np.arange(length)
    in_run = number // LANES * LANES + number - starts[number // LANES]
    by_place = np.add.outer(np.arange(len(runs)) * len(starts) * LANES, in_run).reshape(-1, channels)
    return Patches(begin, shift, np.add.outer(runs, starts).ravel(), by_place.T.ravel())


def places_of_run(geometry: PooledGeometry) -> int:
    """How many places of the window are adjacent in memory."""
    return geometry.window.kernel[-1] if geometry.window.dilation[-1] == 1 else 1


def padded_rows(x: Tensor, geometry: Geometry) -> np.ndarray:
    """x (batch, channel, *size), padded for the convolution, as (batch, place, channel)."""
    padding = geometry.window.padding
    if not any(map(any, padding)):
        return rows(x)
    signal, samples = empty_rows(x.shape[0], x.shape[1], geometry.padded_size, x.dtype)
    samples.fill(0)
    inside(signal, padding).copy_(x.detach())
    return samples
