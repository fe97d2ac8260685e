"""Windows within kernels: which samples they see, and which of them see a sample.

Every geometry has three axes here, the first ones of size 1 where it has fewer. A place is a tuple of three tensors, or
the same counted in row-major order.
"""

from __future__ import annotations

from typing import NamedTuple

import triton
import triton.language as tl

from sigconv.geometry import Geometry
from sigconv.remembered import remembered
from sigconv.window import Sizes


class Frame(NamedTuple):
    """What a kernel is compiled for: a window, with an entry per axis, and how many places it has."""

    kernel: Sizes
    stride: Sizes
    dilation: Sizes
    before: Sizes
    places: int


@remembered
def in_three_axes(geometry: Geometry) -> tuple[Sizes, Sizes, Frame]:
    """Input size, output size and window."""
    while geometry.window.ndim < 3:
        geometry = geometry.as_picture()
    window = geometry.window
    before = tuple(pair[0] for pair in window.padding)
    frame = Frame(window.kernel, window.stride, window.dilation, before, window.places)
    return geometry.size, geometry.output_size, frame


@triton.jit
def unravel(place, size):
    """A place along each axis."""
    rest = place // size[2]
    return rest // size[1], rest % size[1], place % size[2]


@triton.jit
def place_in(frame: tl.constexpr, k):
    """A place of the window along each axis. Not by unravel: Triton before 3.7 takes no part of a frame for one."""
    rest = k // frame.kernel[2]
    return rest // frame.kernel[1], rest % frame.kernel[1], k % frame.kernel[2]


@triton.jit
def ravel(place, size):
    """A place in row-major order."""
    return (place[0] * size[1] + place[1]) * size[2] + place[2]


@triton.jit
def samples(o, k, size, frame: tl.constexpr):
    """The samples that windows ``o`` see at their places ``k``, and whether these are samples and not padding."""
    o0 = o[0] * frame.stride[0] - frame.before[0]
    o1 = o[1] * frame.stride[1] - frame.before[1]
    o2 = o[2] * frame.stride[2] - frame.before[2]
    k0, k1, k2 = k[0] * frame.dilation[0], k[1] * frame.dilation[1], k[2] * frame.dilation[2]
    inside = _within(o0 + k0, size[0]) & _within(o1 + k1, size[1]) & _within(o2 + k2, size[2])
    # The two are added last, so that most of the sum is the same for all k and computed once.
    return ravel((o0, o1, o2), size) + ravel((k0, k1, k2), size), inside


@triton.jit
def observers(i, k, output_size, frame: tl.constexpr):
    """The windows that see samples ``i`` at their places ``k``, and whether there are such."""
    t0 = i[0] + frame.before[0] - k[0] * frame.dilation[0]
    t1 = i[1] + frame.before[1] - k[1] * frame.dilation[1]
    t2 = i[2] + frame.before[2] - k[2] * frame.dilation[2]
    o = t0 // frame.stride[0], t1 // frame.stride[1], t2 // frame.stride[2]
    there = (
        (_within(t0, output_size[0] * frame.stride[0]) & (t0 % frame.stride[0] == 0))
        & (_within(t1, output_size[1] * frame.stride[1]) & (t1 % frame.stride[1] == 0))
        & (_within(t2, output_size[2] * frame.stride[2]) & (t2 % frame.stride[2] == 0))
    )
    return ravel(o, output_size), there


@triton.jit
def _within(i, size):
    return (i >= 0) & (i < size)
