"""What the windows of a pooled convolution see, as vectors at offsets in memory.

The padded input is rows, (batch, place, channel), flattened; so is a window's weights, which lie in runs: all channels
of places that are side by side along the last axis. A patch is the runs that one window sees, as vectors of LANES
numbers. The last vector of a run overlaps the one before where its length is no multiple, so a run has LANES numbers
at least.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
from torch import Tensor

from sigconv.geometry import Geometry, PooledGeometry
from sigconv.kernels.numba.windows import LANES, empty_rows, reached, rows, steps
from sigconv.padding import inside


class Patches(NamedTuple):
    """Where patches begin in the padded input of one signal, and where their vectors are from there.

    ``begin`` (pooled place,) is that of the first window that is pooled there, ``shift`` (place of the pooling window,)
    how much later another's is, ``offset`` (vector,) where a patch has its vectors. ``weight`` (number of a window,)
    is where each of a window's weights, in their own order, is among the vectors' numbers.
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
    """How many places of the window lie side by side."""
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
