"""Convolution's three operations as one differentiable function.

With g shaped like the output, a convolution is the trilinear form

    T(x, w, g) = sum over batch, output channel, output place of  g * conv(x, w).

Its derivative with respect to one operand is an operation on the other two: for g the convolution, for x the gradient
of the input (also known as transposed convolution), for w the gradient of the weight. T is linear in each operand, so
the derivatives of these operations are the same operations again: second and third derivatives and forward mode need
nothing more.
"""

from typing import Any

import torch
from torch import Tensor

from sigconv import planner
from sigconv.geometry import Geometry
from sigconv.operations.differentiable import Differentiable

X, W, G = 0, 1, 2
"""The operands' positions."""

_OPERATIONS = {X: "grad_input", W: "grad_weight", G: "forward"}


class _Derivative(Differentiable):
    """The derivative of T with respect to the operand that is None; if that is g, the output, plus a bias."""

    @staticmethod
    def forward(
        x: Tensor | None, w: Tensor | None, g: Tensor | None, bias: Tensor | None, geometry: Geometry
    ) -> Tensor:
        operands = (x, w, g)
        wanted = _missing(operands)
        given = tuple(operand for operand in operands if operand is not None)
        kernel = planner.kernel(_OPERATIONS[wanted], geometry, given)
        return kernel(*given, bias, geometry) if wanted == G else kernel(*given, geometry)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        *operands, _, ctx.geometry = inputs
        ctx.save_for_backward(*operands)
        ctx.save_for_forward(*operands)

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor) -> tuple[Tensor | None, ...]:
        operands = list(ctx.saved_tensors)
        operands[_missing(operands)] = cotangent
        grads = [
            _derivative(operands, operand, ctx.geometry) if ctx.needs_input_grad[operand] else None
            for operand in (X, W, G)
        ]
        bias = cotangent.sum([d for d in range(cotangent.ndim) if d != 1]) if ctx.needs_input_grad[3] else None
        return (*grads, bias, None)

    @staticmethod
    def tangent(ctx: Any, *tangents: Any) -> Tensor:
        saved = ctx.saved_tensors
        wanted = _missing(saved)
        terms = []
        for operand in (X, W, G):
            if tangents[operand] is not None:
                operands = list(saved)
                operands[operand] = tangents[operand]
                terms.append(_derivative(operands, wanted, ctx.geometry))
        if tangents[3] is not None:
            terms.append(tangents[3].reshape(-1, *[1] * (saved[X].ndim - 2)))
        return torch.as_tensor(sum(terms))


def derivative(x: Tensor | None, w: Tensor | None, g: Tensor | None, bias: Tensor | None, geometry: Geometry) -> Tensor:
    """The derivative of T with respect to the one operand that is None.

    Shapes: x (batch, in channels, *size), w (out channels, in channels / groups, *kernel), g (batch, out channels,
    *output size); ``bias`` (out channels,) is added to the output where g is None.
    """
    return _Derivative.call(x, w, g, bias, geometry)


def _derivative(operands: list[Tensor], wanted: int, geometry: Geometry) -> Tensor:
    x, w, g = (None if operand == wanted else tensor for operand, tensor in enumerate(operands))
    return derivative(x, w, g, None, geometry)


def _missing(operands: tuple[Tensor | None, ...] | list[Tensor | None]) -> int:
    return next(position for position, operand in enumerate(operands) if operand is None)
