"""Pooling's operations as differentiable functions: each is linear, or linear once the winners are known.

The adjoint of each is here as well, so backward passes, their own backward passes and forward mode all consist of the
same four operations: route and gather, sum_pool and spread.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from sigconv import planner
from sigconv.geometry import Geometry
from sigconv.kernels import vendor
from sigconv.kernels.problem import NO_WINNER
from sigconv.layout import is_channels_last
from sigconv.operations.differentiable import Differentiable, is_differentiated_again, matched_layout


class _Selected(Differentiable):
    """Follows the winners: ``route`` takes gradients back to the input, ``gather`` picks samples of it."""

    @staticmethod
    def forward(operation: str, winner: Tensor, values: Tensor, geometry: Geometry) -> Tensor:
        operands = (winner, values) if operation == "route" else (values, winner)
        return planner.kernel(operation, geometry, operands)(*operands, geometry)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.operation, winner, _, ctx.geometry = inputs
        ctx.save_for_backward(winner)
        ctx.save_for_forward(winner)

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor) -> tuple[Tensor | None, ...]:
        adjoint = "gather" if ctx.operation == "route" else "route"
        return None, None, _selected(adjoint, ctx.saved_tensors[0], cotangent, ctx.geometry), None

    @staticmethod
    def tangent(ctx: Any, *tangents: Any) -> Tensor:
        return _selected(ctx.operation, ctx.saved_tensors[0], tangents[2], ctx.geometry)


def _selected(operation: str, winner: Tensor, values: Tensor, geometry: Geometry) -> Tensor:
    return _Selected.call(operation, winner, values, geometry)


def route(winner: Tensor, g: Tensor, geometry: Geometry) -> Tensor:
    """Each gradient added at its window's winner: g (batch, channel, *output size) -> (batch, channel, *size)."""
    return _selected("route", winner, g, geometry)


def _keep_winner(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    """The ``setup_context`` of max pooling, whose first input is x and whose last is the geometry."""
    ctx.geometry, ctx.innermost = inputs[-1], is_channels_last(inputs[0])
    ctx.mark_non_differentiable(output[1])
    ctx.save_for_backward(output[1])
    ctx.save_for_forward(output[1])


class _MaxPool(Differentiable):
    setup_context = staticmethod(_keep_winner)

    @staticmethod
    def forward(x: Tensor, geometry: Geometry) -> tuple[Tensor, Tensor]:
        return planner.kernel("max_pool", geometry, (x,))(x, geometry)

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        return route(ctx.saved_tensors[0], matched_layout(cotangent, ctx.innermost), ctx.geometry), None

    @staticmethod
    def tangent(ctx: Any, tangent: Tensor, _: None) -> tuple[Tensor, None]:
        return _selected("gather", ctx.saved_tensors[0], tangent, ctx.geometry), None


class _RectifiedMaxPool(Differentiable):
    """The maximum of relu(x + shift) in each window, keeping only the winners for the backward pass.

    The maximum commutes with shift and ReLU: x is pooled first, and the rest is done on a map of the pooled size.
    """

    setup_context = staticmethod(_keep_winner)

    @staticmethod
    def forward(x: Tensor, shift: Tensor, geometry: Geometry) -> tuple[Tensor, Tensor]:
        return rectified_and_winner(x, shift, geometry)

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        (winner,), g = ctx.saved_tensors, matched_layout(cotangent, ctx.innermost)
        gx = route(winner, g, ctx.geometry) if ctx.needs_input_grad[0] else None
        return gx, alive_sum(winner, g, ctx.geometry) if ctx.needs_input_grad[1] else None, None


def rectified_and_winner(x: Tensor, shift: Tensor, geometry: Geometry) -> tuple[Tensor, Tensor]:
    """The maximum of relu(x + shift) in each window, and its winner; neither is differentiable."""
    kernel = planner.kernel("rectified_max_pool", geometry, (x,))
    return kernel(x, torch.ones_like(shift), shift, geometry)


def alive_sum(winner: Tensor, g: Tensor, geometry: Geometry) -> Tensor:
    """The sum over each channel of the gradients of windows that have a winner."""
    if not is_differentiated_again(g):
        return planner.kernel("error_sums", geometry, (winner, g))(winner, g, geometry)
    return g.masked_fill(winner == NO_WINNER, 0).sum([d for d in range(g.ndim) if d != 1])


class _Sum(Differentiable):
    """``sum_pool`` over the windows, or its adjoint ``spread``."""

    @staticmethod
    def forward(operation: str, values: Tensor, geometry: Geometry) -> Tensor:
        return planner.kernel(operation, geometry, (values,))(values, geometry)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.operation, _, ctx.geometry = inputs

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor) -> tuple[Tensor | None, ...]:
        adjoint = "spread" if ctx.operation == "sum_pool" else "sum_pool"
        return None, _sum(adjoint, cotangent, ctx.geometry), None

    @staticmethod
    def tangent(ctx: Any, *tangents: Any) -> Tensor:
        return _sum(ctx.operation, tangents[1], ctx.geometry)


def _sum(operation: str, values: Tensor, geometry: Geometry) -> Tensor:
    return _Sum.call(operation, values, geometry)


def max_and_winner(x: Tensor, geometry: Geometry) -> tuple[Tensor, Tensor]:
    """The maximum of each window and its winner: x (batch, channel, *size) -> two (batch, channel, *output size).

    Depending on the kernel, a winner is the int64 index of a sample in the flattened input or a uint8 place in the
    window; :func:`winner_index` turns both into the former.
    """
    function, arguments = max_pool_call(x, geometry)
    return function(x, *arguments)


def max_pool_call(x: Tensor, geometry: Geometry) -> tuple[Callable[..., tuple[Tensor, Tensor]], tuple]:
    """The function that :func:`max_and_winner` calls, and its arguments after x."""
    if planner.is_native_pooling("max_pool", geometry, x):
        return vendor.max_pool_call(geometry)
    return _MaxPool.call, (geometry,)


def rectified_max_pool(x: Tensor, shift: Tensor, geometry: Geometry) -> Tensor:
    """max_pool(relu(x + shift)): x (batch, channel, *size), shift (channel,) -> (batch, channel, *output size)."""
    return _RectifiedMaxPool.call(x, shift, geometry)[0]


def winner_index(winner: Tensor, geometry: Geometry) -> Tensor:
    """Winners as indices of samples in the flattened input, int64."""
    return geometry.index_of(winner) if winner.dtype == torch.uint8 else winner


def window_sum(x: Tensor, geometry: Geometry) -> Tensor:
    """The sum of each window, padding as zeros: x (batch, channel, *size) -> (batch, channel, *output size)."""
    if planner.is_native_pooling("sum_pool", geometry, x):
        return vendor.sum_pool(x, geometry)
    return _sum("sum_pool", x, geometry)


def mean_call(x: Tensor, geometry: Geometry, divisor: int) -> tuple[Callable[..., Tensor], tuple]:
    """A function that gives :func:`window_sum` divided by ``divisor``, and its arguments after x."""
    if planner.is_native_pooling("sum_pool", geometry, x):
        return vendor.sum_pool_call(geometry, divisor)
    return _divided_sum, (geometry, divisor)


def _divided_sum(x: Tensor, geometry: Geometry, divisor: int) -> Tensor:
    return _sum("sum_pool", x, geometry) / divisor
