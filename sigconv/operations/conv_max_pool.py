"""Convolution and max pooling, with or without ReLU between them, as one differentiable function.

Only the sample that wins its window gets a gradient, and where ReLU is zero none does. So the convolution's gradients
sum up the products of winners alone: with windows of 2 x 2, one in four.
"""

from typing import Any

from torch import Tensor

from sigconv import planner
from sigconv.geometry import PooledGeometry
from sigconv.layout import is_channels_last
from sigconv.operations.differentiable import Differentiable, is_differentiated_again, matched_layout
from sigconv.operations.pooling import alive_sum, rectified_and_winner, route
from sigconv.operations.trilinear import derivative


class _ConvolvedMaxPool(Differentiable):
    """The maximum of conv(x, w) + shift in each window, or of its ReLU, and the winner."""

    @staticmethod
    def forward(
        x: Tensor, w: Tensor, shift: Tensor, geometry: PooledGeometry, rectified: bool
    ) -> tuple[Tensor, Tensor]:
        convolved = planner.kernel("forward", geometry.convolution, (x, w))(x, w, None, geometry.convolution)
        if rectified:
            return rectified_and_winner(convolved, shift, geometry.pooling)
        best, winner = planner.kernel("max_pool", geometry.pooling, (convolved,))(convolved, geometry.pooling)
        return best + shift.reshape(-1, *[1] * geometry.window.ndim), winner

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        x, w, _, ctx.geometry, _ = inputs
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(x, w, output[1])

    @staticmethod
    def backward(ctx: Any, g: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        x, w, winner = ctx.saved_tensors
        g = matched_layout(g, is_channels_last(x))
        by_x, by_w, by_shift = ctx.needs_input_grad[:3]
        gradients = _differentiable if is_differentiated_again(g) else _of_winners
        gx, gw = gradients(x if by_w else None, w if by_x else None, winner, g, ctx.geometry)
        return gx, gw, alive_sum(winner, g, ctx.geometry.pooling) if by_shift else None, None, None


def convolved_max_pool(x: Tensor, w: Tensor, shift: Tensor, geometry: PooledGeometry, *, rectified: bool) -> Tensor:
    """max_pool(conv(x, w) + shift), or max_pool(relu(conv(x, w) + shift)) if ``rectified``.

    x (batch, in channels, *size), w (out channels, in channels, *kernel), shift (out channels,) -> (batch, out
    channels, *output size).
    """
    return _ConvolvedMaxPool.call(x, w, shift, geometry, rectified)[0]


def _of_winners(
    x: Tensor | None, w: Tensor | None, winner: Tensor, g: Tensor, geometry: PooledGeometry
) -> tuple[Tensor | None, Tensor | None]:
    """The gradient of the input if w is given, and that of the weight if x is."""
    gx = gw = None
    if w is not None:
        gx = planner.kernel("grad_input_of_winners", geometry, (w, winner, g))(w, winner, g, geometry)
    if x is not None:
        gw = planner.kernel("grad_weight_of_winners", geometry, (x, winner, g))(x, winner, g, geometry)
    return gx, gw


def _differentiable(
    x: Tensor | None, w: Tensor | None, winner: Tensor, g: Tensor, geometry: PooledGeometry
) -> tuple[Tensor | None, Tensor | None]:
    """The same, by operations that are themselves differentiable."""
    errors = route(winner, g, geometry.pooling)
    gx = None if w is None else derivative(None, w, errors, None, geometry.convolution)
    gw = None if x is None else derivative(x, None, errors, None, geometry.convolution)
    return gx, gw
