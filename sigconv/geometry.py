"""What an operation needs to know besides its tensors: the window, and the size of the signal it slides over."""

import math
from dataclasses import dataclass, field, replace
from itertools import pairwise

import torch
from torch import Tensor

from sigconv.remembered import remembered
from sigconv.window import Sizes, Window


@dataclass(frozen=True)
class Geometry:
    """All that an operation needs besides its tensors: the window, the input's spatial size, the channel groups."""

    window: Window
    size: Sizes
    groups: int = 1

    @property
    def output_size(self) -> Sizes:
        return self.window.output_size(self.size)

    @property
    def padded_size(self) -> Sizes:
        """The spatial size of the input including its padding."""
        return tuple(before + n + after for n, (before, after) in zip(self.size, self.window.padding, strict=True))

    @property
    def padded(self) -> "Geometry":
        """The same convolution for an input that is already padded."""
        return replace(self, window=self.window.without_padding(), size=self.padded_size)

    @property
    def has_flipped(self) -> bool:
        """Whether grad_input is a convolution as well: with stride 1, and less padding than the window's extent."""
        window = self.window
        reach = all(max(pair) < e for pair, e in zip(window.padding, window.extent, strict=True))
        return reach and all(s == 1 for s in window.stride)

    @property
    def flipped(self) -> "Geometry":
        """The convolution with the flipped kernel that turns the output's gradient into the input's."""
        window = self.window
        padding = tuple(
            (e - 1 - before, e - 1 - after) for e, (before, after) in zip(window.extent, window.padding, strict=True)
        )
        return Geometry(replace(window, padding=padding), self.output_size, self.groups)

    def as_picture(self) -> "Geometry":
        """The same with an axis of size 1 added in front."""
        window = self.window
        lifted = Window((1, *window.kernel), (1, *window.stride), ((0, 0), *window.padding), (1, *window.dilation))
        return Geometry(lifted, (1, *self.size), self.groups)

    @property
    def merged(self) -> "Geometry":
        """The same with neighbouring axes merged where the window has one place, stride 1 and no padding along them.

        A 3x1x1 convolution over time, height and width is a 3x1 convolution over time and pixels.
        """
        window, ndim = self.window, self.window.ndim
        idle = [
            k == s == 1 and not any(pair)
            for k, s, pair in zip(window.kernel, window.stride, window.padding, strict=True)
        ]
        first = [axis for axis in range(ndim) if axis == 0 or not (idle[axis] and idle[axis - 1])]
        kernel, stride, dilation = (
            tuple(sizes[axis] for axis in first) for sizes in (window.kernel, window.stride, window.dilation)
        )
        padding = tuple(window.padding[axis] for axis in first)
        size = tuple(math.prod(self.size[axis:end]) for axis, end in pairwise([*first, ndim]))
        return Geometry(Window(kernel, stride, padding, dilation), size, self.groups)

    def index_of(self, place: Tensor) -> Tensor:
        """The index in the flattened unpadded input of the sample at ``place`` of each window.

        ``place`` (batch, channel, *output size) counts the window's places in row-major order; the result is int64 of
        the same shape.
        """
        window, left, index = self.window, place.long(), torch.zeros_like(place, dtype=torch.int64)
        stride = 1
        for axis in reversed(range(window.ndim)):
            first = torch.arange(self.output_size[axis], device=place.device) * window.stride[axis]
            first = (first - window.padding[axis][0]).reshape(-1, *[1] * (window.ndim - 1 - axis))
            index += stride * (first + window.dilation[axis] * (left % window.kernel[axis]))
            left = left // window.kernel[axis]
            stride *= self.size[axis]
        return index


@dataclass(frozen=True)
class PooledGeometry(Geometry):
    """The geometry of a convolution, with the window that pools its output."""

    pool: Window = field(kw_only=True)

    @property
    def convolution(self) -> Geometry:
        return Geometry(self.window, self.size, self.groups)

    @property
    def pooling(self) -> Geometry:
        return Geometry(self.pool, self.window.output_size(self.size))

    @property
    def output_size(self) -> Sizes:
        return self.pooling.output_size


def transposed_geometry(
    window: Window, output_padding: Sizes, output_size: Sizes, groups: int
) -> tuple[Geometry, list[tuple[int, int]]]:
    """The geometry of the convolution that is transposed, and what to append to its input that no window sees.

    An output_padding less than the stride adds no window. More would make room for another one, so it replaces trailing
    padding instead, and whatever remains of it is filled with zeros.
    """
    padding, unseen = list(window.padding), [(0, 0)] * window.ndim
    extra = list(output_padding)
    for axis, (s, (before, after)) in enumerate(zip(window.stride, window.padding, strict=True)):
        if extra[axis] >= s:
            padding[axis] = (before, max(0, after - extra[axis]))
            unseen[axis] = (0, max(0, extra[axis] - after))
            extra[axis] = 0
    window = replace(window, padding=tuple(padding))
    size = tuple(n + e for n, e in zip(window.input_size(output_size), extra, strict=True))
    return Geometry(window, size, groups), unseen


@remembered
def each_place(size: Sizes) -> Geometry:
    """The geometry of an elementwise operation."""
    return Geometry(Window.parse((1,) * len(size)), tuple(size))
