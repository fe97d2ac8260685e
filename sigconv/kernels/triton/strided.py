"""Signals as the kernels see them: whatever their axes, three strides locate every number.

In both layouts the places of a signal, counted in row-major order, are equally spaced.
"""

import math
from typing import NamedTuple

import triton
import triton.language as tl
from torch import Tensor

from sigconv.layout import is_channels_last


class Strided(NamedTuple):
    """A signal's memory, how many channels and places it has, and the distances in it from one to the next."""

    data: Tensor
    channels: int
    places: int
    batch: int
    channel: int
    place: int


def strided(x: Tensor) -> Strided:
    """x (batch, channel, \\*size) without a copy if it is contiguous or channels-last."""
    channels, places = x.shape[1], math.prod(x.shape[2:])
    if is_channels_last(x):
        return Strided(x, channels, places, channels * places, 1, channels)
    return Strided(x.contiguous(), channels, places, channels * places, places, 1)


@triton.jit
def address(signal, batch, channel, place):
    """The address of these numbers: in int32 within one item of the batch, in int64 from item to item."""
    start = tl.cast(batch, tl.int64) * signal.batch
    return signal.data + start + (channel * signal.channel + place * signal.place)
