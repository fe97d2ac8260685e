"""Batch normalisation, ReLU and max pooling as one differentiable function.

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
from .differentiable import Differentiable
from .kernels.problem import is_batched
from .pooling import max_and_winner
from .window import Geometry


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
        if (again := torch.is_grad_enabled()) or is_batched(g):  # derivatives of this are wanted, or many at once
            with torch.enable_grad():
                y = _plain(x, weight, bias, ctx.eps, ctx.geometry)
            return (*torch.autograd.grad(y, (x, weight, bias), g, create_graph=again), None, None)
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


def _plain(x: Tensor, weight: Tensor, bias: Tensor, eps: float, geometry: Geometry) -> Tensor:
    normalised = T.batch_norm(x, None, None, weight, bias, training=True, eps=eps)
    return max_and_winner(torch.relu(normalised), geometry)[0]
