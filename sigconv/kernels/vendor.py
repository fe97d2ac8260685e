"""The vendor's kernels (oneDNN, cuDNN, ...) through torch: dense, fast, for 1 to 3 dimensions.

The vendor pads alike on both sides of an axis; what is more on one side is padded and cropped around it.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ..padding import crop, pad_constant
from ..window import Geometry

_RANKS = (1, 2, 3)
_OPERATIONS = ("forward", "grad_input", "grad_weight", "max_pool", "route", "sum_pool", "spread")


def supports(operation: str, geometry: Geometry) -> bool:
    """Whether the vendor has a kernel of this name for such a geometry."""
    if operation not in _OPERATIONS or geometry.window.ndim not in _RANKS:
        return False
    if operation in ("max_pool", "route"):
        return _can_pool(geometry)
    if operation in ("sum_pool", "spread"):
        undilated = all(d == 1 for d in geometry.window.dilation)
        # torch averages no volume smaller than the window, whatever its padding
        larger = all(n >= k for n, k in zip(geometry.size, geometry.window.kernel, strict=True))
        return undilated and larger and _can_pool(geometry)
    return True


def _can_pool(geometry: Geometry) -> bool:
    """The vendor pads alike before and behind, by half a window at most; ceil_mode adds one window behind."""
    window = geometry.window
    alike = replace(window, padding=tuple((before, before) for before, _ in window.padding))
    sizes = alike.output_size(geometry.size), alike.grown_to_ceil(geometry.size).output_size(geometry.size)
    return geometry.output_size in sizes and all(
        2 * before <= k for (before, _), k in zip(window.padding, window.kernel, strict=True)
    )


def forward(x: Tensor, w: Tensor, bias: Tensor | None, geometry: Geometry) -> Tensor:
    alike, rest = _split_padding(geometry)
    return torch.convolution(pad_constant(x, rest), w, bias, *_arguments(geometry, alike))


def grad_input(w: Tensor, g: Tensor, geometry: Geometry) -> Tensor:
    alike, rest = _split_padding(geometry)
    size = [n + sum(pair) for n, pair in zip(geometry.size, rest, strict=True)]
    x = _shape_only(g, (g.shape[0], w.shape[1] * geometry.groups, *size))
    return crop(_backward(g, x, w, geometry, alike, (True, False, False))[0], rest)


def grad_weight(x: Tensor, g: Tensor, geometry: Geometry) -> Tensor:
    alike, rest = _split_padding(geometry)
    w = _shape_only(x, (g.shape[1], x.shape[1] // geometry.groups, *geometry.window.kernel))
    return _backward(g, pad_constant(x, rest), w, geometry, alike, (False, True, False))[1]


def _split_padding(geometry: Geometry) -> tuple[list[int], list[tuple[int, int]]]:
    """Padding that both sides of an axis share, and what is left of each side."""
    alike = [min(pair) for pair in geometry.window.padding]
    rest = [(before - a, after - a) for a, (before, after) in zip(alike, geometry.window.padding, strict=True)]
    return alike, rest


def _arguments(geometry: Geometry, padding: list[int]) -> tuple:
    window = geometry.window
    return (window.stride, padding, window.dilation, False, [0] * window.ndim, geometry.groups)


def _shape_only(like: Tensor, shape: tuple[int, ...]) -> Tensor:
    """A tensor for its shape and layout: the vendor's backward asks for operands whose values it does not read.

    In the contiguous layout it costs one number. In channels-last it is whole but never touched, since the vendor
    lays out its result alike, and copies where that is not the layout of the other operands.
    """
    layout = {4: torch.channels_last, 5: torch.channels_last_3d}.get(like.ndim)
    if layout is None or like.is_contiguous() or not like.is_contiguous(memory_format=layout):
        return like.new_empty(1).expand(shape)
    strides = [math.prod(shape[1:]), 1, *(shape[1] * math.prod(shape[d + 1 :]) for d in range(2, len(shape)))]
    return like.new_empty_strided(shape, strides)


def _backward(
    g: Tensor, x: Tensor, w: Tensor, geometry: Geometry, padding: list[int], wanted: tuple[bool, bool, bool]
) -> tuple[Tensor, Tensor, Tensor]:
    return torch.ops.aten.convolution_backward(g, x, w, None, *_arguments(geometry, padding), wanted)


def max_pool(x: Tensor, geometry: Geometry) -> tuple[Tensor, Tensor]:
    x, arguments = _lift(x, geometry), _pool_arguments(geometry)
    best, winner = _pool_operator("max_pool{}d_with_indices", geometry)(x, *arguments)
    return _lower(best, geometry), _lower(winner, geometry)


def route(winner: Tensor, g: Tensor, geometry: Geometry) -> Tensor:
    x = _shape_only(g, (*g.shape[:2], *geometry.size))
    operator = _pool_operator("max_pool{}d_with_indices_backward", geometry)
    winner, g, x = (_lift(t, geometry) for t in (winner, g, x))
    return _lower(operator(g, x, *_pool_arguments(geometry), winner), geometry)


def sum_pool(x: Tensor, geometry: Geometry) -> Tensor:
    kernel, stride, padding, _, ceil_mode = _pool_arguments(geometry)
    operator = _pool_operator("avg_pool{}d", geometry)
    return _lower(operator(_lift(x, geometry), kernel, stride, padding, ceil_mode, True, 1), geometry)


def spread(g: Tensor, geometry: Geometry) -> Tensor:
    kernel, stride, padding, _, ceil_mode = _pool_arguments(geometry)
    x = _shape_only(g, (*g.shape[:2], *geometry.size))
    operator = _pool_operator("avg_pool{}d_backward", geometry)
    return _lower(
        operator(_lift(g, geometry), _lift(x, geometry), kernel, stride, padding, ceil_mode, True, 1),
        geometry,
    )


def _pool_arguments(geometry: Geometry) -> tuple:
    """Kernel, stride, padding, dilation, ceil_mode in the vendor's form, lifted like :func:`_lift`."""
    window = geometry.window
    before = tuple(pair[0] for pair in window.padding)
    alike = replace(window, padding=tuple((b, b) for b in before))
    ceil_mode = alike.output_size(geometry.size) != geometry.output_size
    lead = (1,) * (window.ndim == 1)
    none = (0,) * (window.ndim == 1)
    return lead + window.kernel, lead + window.stride, none + before, lead + window.dilation, ceil_mode


def _pool_operator(name: str, geometry: Geometry) -> Any:
    return getattr(torch.ops.aten, name.format(max(2, geometry.window.ndim)))


def _lift(x: Tensor, geometry: Geometry) -> Tensor:
    """Signals of one axis as pictures of height 1: the vendor pools over two axes and more."""
    return x.unsqueeze(2) if geometry.window.ndim == 1 else x


def _lower(x: Tensor, geometry: Geometry) -> Tensor:
    return x.squeeze(2) if geometry.window.ndim == 1 else x
