"""Pooling's operations as differentiable functions: each is linear, or linear once the winners are known.

Every one has an adjoint that is here too, so backward passes, their own backward passes and forward mode are made of
the same four operations: route and gather, sum_pool and spread.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from . import planner
from .window import Geometry


class _Selected(Function):
    """Along the winners: ``route`` errors back to the input, or ``gather`` samples of it."""

    generate_vmap_rule = True

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


class _SelectedWithForwardMode(_Selected):
    """Apart, because torch.compile takes no Function that has a jvp. The same holds below."""

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Tensor:
        return _selected(ctx.operation, ctx.saved_tensors[0], tangents[2], ctx.geometry)


def _selected(operation: str, winner: Tensor, values: Tensor, geometry: Geometry) -> Tensor:
    function = _Selected if torch.compiler.is_compiling() else _SelectedWithForwardMode
    return function.apply(operation, winner, values, geometry)


class _MaxPool(Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, geometry: Geometry) -> tuple[Tensor, Tensor]:
        return planner.kernel("max_pool", geometry, (x,))(x, geometry)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        ctx.geometry = inputs[1]
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(output[1])
        ctx.save_for_forward(output[1])

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        return _selected("route", ctx.saved_tensors[0], cotangent, ctx.geometry), None


class _MaxPoolWithForwardMode(_MaxPool):
    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, _: None) -> tuple[Tensor, None]:
        return _selected("gather", ctx.saved_tensors[0], tangent, ctx.geometry), None


class _Sum(Function):
    """``sum_pool`` over the windows, or its adjoint ``spread``."""

    generate_vmap_rule = True

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


class _SumWithForwardMode(_Sum):
    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Tensor:
        return _sum(ctx.operation, tangents[1], ctx.geometry)


def _sum(operation: str, values: Tensor, geometry: Geometry) -> Tensor:
    function = _Sum if torch.compiler.is_compiling() else _SumWithForwardMode
    return function.apply(operation, values, geometry)


def max_and_winner(x: Tensor, geometry: Geometry) -> tuple[Tensor, Tensor]:
    """The maximum of each window and its winner: x (batch, channel, *size) -> two (batch, channel, *output size).

    A winner is int64, the index of a sample in the flattened input, or uint8, a place in the window, as suits the
    kernel; :func:`winner_index` makes the former of both.
    """
    if planner.is_native_pooling("max_pool", geometry, x):
        return planner.vendor.max_pool(x, geometry)
    function = _MaxPool if torch.compiler.is_compiling() else _MaxPoolWithForwardMode
    return function.apply(x, geometry)


def winner_index(winner: Tensor, geometry: Geometry) -> Tensor:
    """Winners as indices of samples in the flattened input, int64."""
    return geometry.index_of(winner) if winner.dtype == torch.uint8 else winner


def window_sum(x: Tensor, geometry: Geometry) -> Tensor:
    """The sum of each window, padding as zeros: x (batch, channel, *size) -> (batch, channel, *output size)."""
    if planner.is_native_pooling("sum_pool", geometry, x):
        return planner.vendor.sum_pool(x, geometry)
    return _sum("sum_pool", x, geometry)
