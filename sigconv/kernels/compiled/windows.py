"""A geometry as arrays of whole numbers, and signals as rows of channels: what compiled loops work on.

A signal (batch, channel, *size) is a contiguous array (batch, place, channel): channels-last, with its places in
row-major order.
"""

import functools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from sigconv.geometry import Geometry
from sigconv.layout import channels_last_strides, is_channels_last
from sigconv.window import Sizes

LANES = 16
"""Numbers that compiled loops take at a time, side by side in memory."""

CHUNKS = 16
"""Parts that are summed separately, by any number of threads, and then added in order: the bits are always the same."""


def blocks_of(channels: int) -> int:
    """The number of blocks of ``LANES`` channels."""
    return -(-channels // LANES)


class Windows(NamedTuple):
    """A geometry of ``ndim`` axes and K places in a window, as int64 arrays, (ndim,) where nothing else is said.

    ``offset`` (K,) is each place's distance from the window's first place in the flattened input, ``distance``
    (ndim, K) the same along each axis.
    """

    size: np.ndarray
    output_size: np.ndarray
    extent: np.ndarray
    stride: np.ndarray
    before: np.ndarray
    offset: np.ndarray
    distance: np.ndarray


@functools.lru_cache(maxsize=1024)
def windows(geometry: Geometry) -> Windows:
    window = geometry.window
    places = np.array(list(window.offsets()), dtype=np.int64).T
    distance = np.ascontiguousarray(places * np.array(window.dilation)[:, None])
    strides = steps(1, geometry.size)
    size, output_size, extent, stride, before = (
        np.array(numbers, dtype=np.int64)
        for numbers in (
            geometry.size,
            geometry.output_size,
            window.extent,
            window.stride,
            [pair[0] for pair in window.padding],
        )
    )
    return Windows(size, output_size, extent, stride, before, strides @ distance, distance)


def steps(channels: int, size: Sizes) -> np.ndarray:
    """The distance in memory to the next place along each axis, in numbers, (ndim,) int64."""
    return np.array(channels_last_strides((1, channels, *size))[2:])


def reached(counts: Sizes, jumps: Sequence[int] | np.ndarray) -> np.ndarray:
    """The offsets reached by 0 to ``counts`` - 1 jumps along each axis, in row-major order."""
    found = np.zeros(1, dtype=np.int64)
    for count, jump in zip(counts, jumps, strict=True):
        found = np.add.outer(found, np.arange(count) * jump).ravel()
    return found


def rows(x: Tensor) -> np.ndarray:
    """x (batch, channel, *size) as (batch, place, channel); copied where its channels are not innermost."""
    if not is_channels_last(x):
        return array(x.movedim(1, -1).flatten(1, -2))
    return _as_rows(x.detach().resolve_neg())


def array(t: Tensor) -> np.ndarray:
    """t as a contiguous array, since loops load vectors from memory as if it were; copied where it is not.

    NumPy has no derivatives, nor numbers that are negative by a bit of their tensor: ``force`` is for both.
    """
    return t.contiguous().numpy(force=True)


def empty_rows(batch: int, channels: int, size: Sizes, dtype: torch.dtype) -> tuple[Tensor, np.ndarray]:
    """A new channels-last signal, and its memory as rows."""
    shape = (batch, channels, *size)
    signal = torch.empty_strided(shape, channels_last_strides(shape), dtype=dtype, device="cpu")
    return signal, _as_rows(signal)


def _as_rows(signal: Tensor) -> np.ndarray:
    """With NumPy's views, which take half the time of torch's."""
    batch, channels, *size = signal.shape
    innermost = signal.numpy().transpose(0, *range(2, signal.ndim), 1)
    return innermost.reshape(batch, math.prod(size), channels)
