"""Windows within kernels: which samples they see, and which of them see a sample.

Every geometry has three axes here, the first ones of size 1 where it has fewer. A place is a tuple of three tensors, or
the same counted in row-major order.
"""

import math
from typing import NamedTuple

import triton
import triton.language as tl

from sigconv.geometry import Geometry
from sigconv.remembered import remembered
from sigconv.window import Sizes, Window


class Frame(NamedTuple):
    """What a kernel is compiled for: a window, with an entry per axis, and how many places it has.

    ``reaches`` says along which axes windows may see padding; ``seen_by`` and ``observers`` are how many windows may
    see a sample, along each axis and in all: see :func:`observers`.
    """

    kernel: Sizes
    stride: Sizes
    dilation: Sizes
    before: Sizes
    strided: bool
    reaches: tuple[bool, ...]
    seen_by: Sizes
    places: int
    observers: int


@remembered
def in_three_axes(geometry: Geometry) -> tuple[Sizes, Sizes, Frame]:
    """Input size, output size and window."""
    while geometry.window.ndim < 3:
        geometry = geometry.as_picture()
    return geometry.size, geometry.output_size, _frame(geometry.window)


def _frame(window: Window) -> Frame:
    seen_by = tuple(
        -(-k // s) if d == 1 else k for k, s, d in zip(window.kernel, window.stride, window.dilation, strict=True)
    )
    return Frame(
        window.kernel,
        window.stride,
        window.dilation,
        tuple(before for before, _ in window.padding),
        max(window.stride) > 1,
        tuple(any(pair) for pair in window.padding),
        seen_by,
        window.places,
        math.prod(seen_by),
    )


@triton.jit
def unravel(place, size):
    """A place along each axis."""
    rest = place // size[2]
    return rest // size[1], rest % size[1], place % size[2]


@triton.jit
def place_in(frame: tl.constexpr, k):
    """A place of the window along each axis. Not by unravel: Triton before 3.7 cannot pass part of a frame to it."""
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
    inside = o2 + k2 == o2 + k2  # true, in this shape
    if frame.reaches[0]:
        inside &= _within(o0 + k0, size[0])
    if frame.reaches[1]:
        inside &= _within(o1 + k1, size[1])
    if frame.reaches[2]:
        inside &= _within(o2 + k2, size[2])
    # The two are added last, so that most of the sum is the same for all k and computed once.
    return ravel((o0, o1, o2), size) + ravel((k0, k1, k2), size), inside


@triton.jit
def observers(i, j, output_size, frame: tl.constexpr):
    """The ``j``-th of the windows that may see each of the samples ``i``; at which place it does, and whether it does.

    Along an axis without dilation, the candidates are the windows that begin at the sample or before, one stride apart;
    else those whose place j along the axis is at the sample.
    """
    rest = j // frame.seen_by[2]
    o0, k0, is0 = _observer(i[0], rest // frame.seen_by[1], output_size[0], frame, 0)
    o1, k1, is1 = _observer(i[1], rest % frame.seen_by[1], output_size[1], frame, 1)
    o2, k2, is2 = _observer(i[2], j % frame.seen_by[2], output_size[2], frame, 2)
    k = (k0 * frame.kernel[1] + k1) * frame.kernel[2] + k2
    return ravel((o0, o1, o2), output_size), k, is0 & is1 & is2


@triton.jit
def _observer(i, j, windows, frame: tl.constexpr, axis: tl.constexpr):
    t = i + frame.before[axis]
    if frame.kernel[axis] == 1 and frame.stride[axis] == 1 and not frame.reaches[axis]:
        return t, j, t == t  # this one window alone, and it is there
    elif frame.dilation[axis] == 1:
        o, k = t // frame.stride[axis] - j, t % frame.stride[axis] + j * frame.stride[axis]
        return o, k, _within(o, windows) & (k < frame.kernel[axis])
    else:
        first = t - j * frame.dilation[axis]
        there = _within(first, windows * frame.stride[axis]) & (first % frame.stride[axis] == 0)
        return first // frame.stride[axis], j, there


@triton.jit
def _within(i, size):
    """Whether 0 <= i < size: as an unsigned number, a negative one is large."""
    return tl.cast(i, tl.uint32) < tl.cast(size, tl.uint32)
