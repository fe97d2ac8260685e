"""The vendor's kernels (oneDNN, cuDNN, ...) through torch: dense, fast, for 1 to 3 dimensions.

The vendor pads both sides of an axis equally; any excess on one side is padded before the call or cropped after it.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from sigconv.geometry import Geometry
from sigconv.kernels.problem import CONVOLUTION, Problem
from sigconv.layout import channels_last_strides, is_channels_last, is_transformed, like, with_size
from sigconv.padding import crop, pad_constant
from sigconv.remembered import remembered
from sigconv.window import Window

DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
RANKS = (1, 2, 3)
ONEDNN_BLOCK = 16
"""The most channels that oneDNN takes at a time."""


def supports(problem: Problem) -> bool:
    """Whether the vendor has a kernel of this name for such a geometry; winners, if any, must be indices."""
    if problem.operation in CONVOLUTION:
        other = _with_other_axes(problem.geometry) if problem.device == "cpu" else None
        return (other or problem.geometry).window.ndim in RANKS
    return problem.winners in (None, torch.int64) and supports_pooling(problem.operation, problem.geometry)


@remembered
def supports_pooling(operation: str, geometry: Geometry) -> bool:
    if geometry.window.ndim not in RANKS:
        return False
    if operation in ("max_pool", "route"):
        return _can_pool(geometry)
    if operation in ("sum_pool", "spread"):
        # torch cannot average a volume smaller than the window, whatever its padding
        larger = all(n >= k for n, k in zip(geometry.size, geometry.window.kernel, strict=True))
        return larger and _can_pool(geometry)
    return False


def _can_pool(geometry: Geometry) -> bool:
    """The vendor pads both sides equally, by half a window at most; ceil_mode adds one window at the end."""
    window = geometry.window
    if any(2 * before > k for (before, _), k in zip(window.padding, window.kernel, strict=True)):
        return False
    # With even padding no sizes are compared: comparing symbolic ones would specialise what is exported.
    alike, size = _padded_alike(window), geometry.size
    return alike == window or geometry.output_size in (
        alike.output_size(size),
        alike.grown_to_ceil(size).output_size(size),
    )


def _padded_alike(window: Window) -> Window:
    """The window with as much padding after as before."""
    return replace(window, padding=tuple((before, before) for before, _ in window.padding))


def forward(x: Tensor, w: Tensor, bias: Tensor | None, geometry: Geometry) -> Tensor:
    if other := better_form(x, geometry):
        y = forward(with_size(x, other.size), with_size(w, other.window.kernel), bias, other)
        return like(with_size(y, geometry.output_size), x)
    return torch.convolution(pad_constant(x, geometry.window.uneven_padding), w, bias, *arguments(geometry))


def grad_input(w: Tensor, g: Tensor, geometry: Geometry) -> Tensor:
    if other := better_form(g, geometry):
        gx = grad_input(with_size(w, other.window.kernel), with_size(g, other.output_size), other)
        return like(with_size(gx, geometry.size), g)
    rest = geometry.window.uneven_padding
    size = [n + sum(pair) for n, pair in zip(geometry.size, rest, strict=True)]
    x = _shape_only(g, (g.shape[0], w.shape[1] * geometry.groups, *size))
    return crop(_backward(g, x, w, geometry, (True, False, False))[0], rest)


def grad_weight(x: Tensor, g: Tensor, geometry: Geometry) -> Tensor:
    if other := better_form(x, geometry):
        gw = grad_weight(with_size(x, other.size), with_size(g, other.output_size), other)
        return with_size(gw, geometry.window.kernel)
    if has_unsafe_grad_weight(geometry.window, x.shape[1], x.device.type):
        x, geometry = _seen_alone(x, geometry)
    w = _shape_only(x, (g.shape[1], x.shape[1] // geometry.groups, *geometry.window.kernel))
    padded = pad_constant(x, geometry.window.uneven_padding)
    return _backward(g, padded, w, geometry, (False, True, False))[1]


def has_unsafe_grad_weight(window: Window, in_channels: int, device: str) -> bool:
    """Whether oneDNN would write past its workspace, with wrong sums, a crash or an endless loop as the result.

    It does so with windows of one place, a stride, few channels, and channels-last; uxlfoundation/oneDNN, issue 6035.
    """
    return device == "cpu" and in_channels < ONEDNN_BLOCK and window.places == 1 and max(window.stride) > 1


def _seen_alone(x: Tensor, geometry: Geometry) -> tuple[Tensor, Geometry]:
    """The samples that windows of one place see, and the geometry of stride 1 that sees all of them."""
    window = geometry.window
    padded, steps = pad_constant(x, window.padding), [slice(None, None, step) for step in window.stride]
    seen = padded[(slice(None), slice(None), *steps)]
    side_by_side = replace(window, stride=(1,) * window.ndim, padding=((0, 0),) * window.ndim)
    return like(seen, x), replace(geometry, window=side_by_side, size=geometry.output_size)


def better_form(signal: Tensor, geometry: Geometry) -> Geometry | None:
    """The same convolution over another number of axes, if the vendor has better kernels for it; a view either way.

    One axis with channels innermost becomes a picture, as the vendor has no such layout for one axis. On a CPU, three
    or more become fewer where neighbours can be merged: kernels for fewer axes are up to five times faster (most with
    one thread) or are the only ones that exist.
    """
    if signal.ndim == 3:
        return _with_other_axes(geometry) if is_channels_last(signal) else None
    return _with_other_axes(geometry) if signal.ndim > 4 and signal.device.type == "cpu" else None


@remembered
def _with_other_axes(geometry: Geometry) -> Geometry | None:
    """Two axes in place of one, or as few as possible in place of several; None if that changes nothing."""
    if geometry.window.ndim == 1:
        return geometry.as_picture()
    return geometry.merged if geometry.merged.window.ndim < geometry.window.ndim else None


def arguments(geometry: Geometry) -> tuple:
    """The arguments of torch.convolution after its operands."""
    window = geometry.window
    return (window.stride, window.even_padding, window.dilation, False, [0] * window.ndim, geometry.groups)


def _shape_only(like: Tensor, shape: tuple[int, ...]) -> Tensor:
    """A tensor that only gives shape and layout: the vendor's backward takes operands whose values it does not read.

    In the contiguous layout it costs one number. In channels-last it is allocated in full but never touched: the vendor
    gives its result the same layout, and copies where the other operands have another.
    """
    layout = {4: torch.channels_last, 5: torch.channels_last_3d}.get(like.ndim)
    if layout is None or is_transformed(like) or like.is_contiguous() or not like.is_contiguous(memory_format=layout):
        return like.new_empty(1).expand(shape)
    return like.new_empty_strided(shape, channels_last_strides(shape))


def _backward(
    g: Tensor, x: Tensor, w: Tensor, geometry: Geometry, wanted: tuple[bool, bool, bool]
) -> tuple[Tensor, Tensor, Tensor]:
    return torch.ops.aten.convolution_backward(g, x, w, None, *arguments(geometry), wanted)


def max_pool(x: Tensor, geometry: Geometry) -> tuple[Tensor, Tensor]:
    pool, arguments = max_pool_call(geometry)
    return pool(x, *arguments)


def max_pool_call(geometry: Geometry) -> tuple[Callable[..., tuple[Tensor, Tensor]], tuple]:
    """The function that pools x, and its arguments after x."""
    # Not torch.ops.aten's, whose call takes as long as pooling a small map.
    if geometry.window.ndim == 1:
        return torch.max_pool1d_with_indices, _pool_arguments(geometry)
    return getattr(torch._C._nn, f"max_pool{geometry.window.ndim}d_with_indices"), _pool_arguments(geometry)


def route(winner: Tensor, g: Tensor, geometry: Geometry) -> Tensor:
    if geometry.window.ndim == 1:
        return route(winner.unsqueeze(2), g.unsqueeze(2), geometry.as_picture()).squeeze(2)
    x = _shape_only(g, (*g.shape[:2], *geometry.size))
    operator = _pool_operator("max_pool{}d_with_indices_backward", geometry)
    return operator(g, x, *_pool_arguments(geometry), winner)


def sum_pool(x: Tensor, geometry: Geometry, divisor: int = 1) -> Tensor:
    """The sum of each window, divided by ``divisor``."""
    function, arguments = sum_pool_call(geometry, divisor)
    return function(x, *arguments)


def _sum_pool_as_picture(x: Tensor, geometry: Geometry, divisor: int) -> Tensor:
    return sum_pool(x.unsqueeze(2), geometry.as_picture(), divisor).squeeze(2)


def sum_pool_call(geometry: Geometry, divisor: int) -> tuple[Callable[..., Tensor], tuple]:
    """The function that sums windows of x and divides, and its arguments after x."""
    if geometry.window.ndim == 1:
        return _sum_pool_as_picture, (geometry, divisor)
    kernel, stride, padding, _, ceil_mode = _pool_arguments(geometry)
    operator = getattr(torch._C._nn, f"avg_pool{geometry.window.ndim}d")
    return operator, (kernel, stride, padding, ceil_mode, True, divisor)


def spread(g: Tensor, geometry: Geometry) -> Tensor:
    if geometry.window.ndim == 1:
        return spread(g.unsqueeze(2), geometry.as_picture()).squeeze(2)
    kernel, stride, padding, _, ceil_mode = _pool_arguments(geometry)
    x = _shape_only(g, (*g.shape[:2], *geometry.size))
    return _pool_operator("avg_pool{}d_backward", geometry)(g, x, kernel, stride, padding, ceil_mode, True, 1)


@remembered
def _pool_arguments(geometry: Geometry) -> tuple:
    """Kernel, stride, padding, dilation, ceil_mode in the vendor's form."""
    window = geometry.window
    before, alike = tuple(pair[0] for pair in window.padding), _padded_alike(window)
    ceil_mode = alike != window and alike.output_size(geometry.size) != geometry.output_size
    return window.kernel, window.stride, before, window.dilation, ceil_mode


def _pool_operator(name: str, geometry: Geometry) -> Any:
    return getattr(torch.ops.aten, name.format(geometry.window.ndim))
