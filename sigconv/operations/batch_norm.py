"""Batch normalisation as a differentiable function: of bands, followed by ReLU, or by ReLU and max pooling.

Bands are equal parts of the first spatial axis, each of which is normalised separately. With pooling

    y[o] = max over k of relu(a x[s*o + d*k] + b)   with a = weight / deviation, b = bias - a mean

a and b are the same everywhere in a channel, so the maximum is where x is largest (smallest, if a is negative), and all
else is done on a map of the pooled size. Only x and the winners are kept for the backward pass: neither the normalised
signal nor its ReLU is ever in memory.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from sigconv import planner
from sigconv.geometry import Geometry, each_place
from sigconv.layout import is_channels_last
from sigconv.operations.differentiable import Differentiable, by_autograd, is_differentiated_again, matched_layout
from sigconv.operations.pooling import max_and_winner


class _Normalised(Differentiable):
    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Tensor, eps: float, rectified: bool) -> tuple[Tensor, Tensor, Tensor]:
        return planner.kernel("normalise", each_place(x.shape[2:]), (x,))(x, weight, bias, eps, rectified)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        x, weight, bias, *ctx.settings = inputs
        ctx.mark_non_differentiable(*output[1:])
        ctx.save_for_backward(x, weight, bias, *output[1:])

    @staticmethod
    def backward(ctx: Any, g: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, bias, mean, var = ctx.saved_tensors
        g = matched_layout(g, is_channels_last(x))
        if is_differentiated_again(g):
            return (*by_autograd(_plain, (x, weight, bias), g, *ctx.settings), None, None)
        kernel = planner.kernel("grad_normalise", each_place(x.shape[2:]), (x, g))
        return (*kernel(x, g, weight, bias, mean, var, *ctx.settings), None, None)


def normalised(
    x: Tensor, weight: Tensor, bias: Tensor, eps: float, *, rectified: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    """Each band of each channel of x normalised by its own statistics, and these: mean and biased variance, float64.

    The result is followed by ReLU if ``rectified``.

    x (batch, channel, *size); weight, bias, mean and variance (channel x band,) -> like x.
    """
    return _Normalised.call(x, weight, bias, eps, rectified)


class _NormalisedMaxPool(Differentiable):
    @staticmethod
    def forward(
        x: Tensor, weight: Tensor, bias: Tensor, eps: float, geometry: Geometry
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        kernel = planner.kernel("normalised_max_pool", geometry, (x,))
        return kernel(x, weight, bias, eps, geometry)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        x, weight, bias, ctx.eps, ctx.geometry = inputs
        ctx.mark_non_differentiable(*output[1:])
        ctx.save_for_backward(x, weight, bias, *output[1:])

    @staticmethod
    def backward(ctx: Any, g: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, bias, winner, mean, var = ctx.saved_tensors
        g = matched_layout(g, is_channels_last(x))
        if is_differentiated_again(g):
            return (*by_autograd(_plain_and_pooled, (x, weight, bias), g, ctx.eps, ctx.geometry), None, None)
        kernel = planner.kernel("grad_normalised_max_pool", ctx.geometry, (x, winner, g))
        return (*kernel(x, winner, g, weight, mean, var, ctx.eps, ctx.geometry), None, None)


def normalised_max_pool(
    x: Tensor, weight: Tensor, bias: Tensor, eps: float, geometry: Geometry
) -> tuple[Tensor, Tensor, Tensor]:
    """max_pool(relu(batch_norm(x))) with the batch's own statistics, and these: mean and biased variance, float64.

    x (batch, channel, *size); weight, bias, mean and variance (channel,) -> (batch, channel, *output size).
    """
    y, _, mean, var = _NormalisedMaxPool.call(x, weight, bias, eps, geometry)
    return y, mean, var


def _plain(x: Tensor, weight: Tensor, bias: Tensor, eps: float, rectified: bool) -> Tensor:
    """The same by torch's operation, which sees bands as channels."""
    bands = x.reshape(len(x), len(weight), -1)
    y = F.batch_norm(bands, None, None, weight, bias, training=True, eps=eps).reshape(x.shape)
    return torch.relu(y) if rectified else y


def _plain_and_pooled(x: Tensor, weight: Tensor, bias: Tensor, eps: float, geometry: Geometry) -> Tensor:
    return max_and_winner(_plain(x, weight, bias, eps, True), geometry)[0]
