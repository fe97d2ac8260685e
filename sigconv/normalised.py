"""Batch normalisation as a differentiable function: of bands, or with ReLU and max pooling behind it.

Bands are equal parts of the first axis behind the channels, each of which is normalised by itself. With pooling

    y[o] = max over k of relu(a x[s*o + d*k] + b)   with a = weight / deviation, b = bias - a mean

a and b are the same everywhere in a channel, so the maximum is where x is largest (smallest, if a is negative), and
all else is done on a map of the pooled size. For the backward pass x and the winners are kept: neither what is
normalised nor what ReLU gives ever is in memory.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as T

from . import planner
from .differentiable import Differentiable, by_autograd, errors_of, wants_more
from .layout import is_channels_last
from .pooling import max_and_winner
from .window import Geometry, each_place


class _Normalised(Differentiable):
    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
        return planner.kernel("normalise", each_place(x.shape[2:]), (x,))(x, weight, bias, eps)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        x, weight, bias, ctx.eps = inputs
        ctx.mark_non_differentiable(*output[1:])
        ctx.save_for_backward(x, weight, bias, *output[1:])

    @staticmethod
    def backward(ctx: Any, g: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, bias, mean, var = ctx.saved_tensors
        if wants_more(g):
            return (*by_autograd(_plain, (x, weight, bias), g, ctx.eps), None)
        kernel = planner.kernel("grad_normalise", each_place(x.shape[2:]), (x, g))
        return (*kernel(x, g, weight, mean, var, ctx.eps), None)


def normalises(x: Tensor) -> bool:
    """Whether a kernel of ours normalises signals like x (batch, channel, *size)."""
    return planner.is_ours("normalise", each_place(x.shape[2:]), x)


def normalised(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    """x, each band of each channel normalised by its own statistics, and these: mean and biased variance, float64.

    x (batch, channel, *size); weight, bias, mean and variance (channel x band,) -> like x.
    """
    return _Normalised.call(x, weight, bias, eps)


class _NormalisedMaxPool(Differentiable):
    @staticmethod
    def forward(
        x: Tensor, weight: Tensor, bias: Tensor, eps: float, geometry: Geometry
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        scale, shift, mean, var = planner.kernel("normalisation", geometry, (x,))(x, weight, bias, eps)
        y, winner = planner.kernel("rectified_max_pool", geometry, (x,))(x, scale, shift, geometry)
        return y, mean, var, winner

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        x, weight, bias, ctx.eps, ctx.geometry = inputs
        ctx.mark_non_differentiable(*output[1:])
        ctx.save_for_backward(x, weight, bias, *output[1:])

    @staticmethod
    def backward(ctx: Any, g: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, bias, mean, var, winner = ctx.saved_tensors
        g = errors_of(g, is_channels_last(x))
        if wants_more(g):
            return (*by_autograd(_plain_and_pooled, (x, weight, bias), g, ctx.eps, ctx.geometry), None, None)
        count = x.numel() // x.shape[1]
        invstd = (var + ctx.eps).rsqrt()
        sums = planner.kernel("error_sums", ctx.geometry, (winner, g))(winner, g, x, ctx.geometry)
        g_bias, products = (s.double() for s in sums)
        g_weight = invstd * (products - mean * g_bias)
        scale = weight * invstd
        slope = -scale * invstd * g_weight / count
        base = -scale * g_bias / count - slope * mean
        slope, base, scale, g_weight, g_bias = (t.to(x.dtype) for t in (slope, base, scale, g_weight, g_bias))
        onto = planner.kernel("routed_onto", ctx.geometry, (x, winner))
        return onto(x, slope, base, winner, g, scale, ctx.geometry), g_weight, g_bias, None, None


def normalised_max_pool(
    x: Tensor, weight: Tensor, bias: Tensor, eps: float, geometry: Geometry
) -> tuple[Tensor, Tensor, Tensor]:
    """max_pool(relu(batch_norm(x))) by the batch's own statistics, and these: mean and biased variance, float64.

    x (batch, channel, *size); weight, bias, mean and variance (channel,) -> (batch, channel, *output size).
    """
    y, mean, var, _ = _NormalisedMaxPool.call(x, weight, bias, eps, geometry)
    return y, mean, var


def _plain(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    """By torch's operation, to which bands are channels."""
    bands = x.reshape(len(x), len(weight), -1)
    return T.batch_norm(bands, None, None, weight, bias, training=True, eps=eps).reshape(x.shape)


def _plain_and_pooled(x: Tensor, weight: Tensor, bias: Tensor, eps: float, geometry: Geometry) -> Tensor:
    return max_and_winner(torch.relu(_plain(x, weight, bias, eps)), geometry)[0]
