"""Kernels for GPUs, written in Triton, where the vendor's are slow or keep too much.

Depthwise convolution, convolution of one to three input channels, and max pooling that keeps a byte for each winner;
along one to three axes, in both layouts. Each sum runs in float32 (never TF32) and in an order that the shapes alone
decide, without atomics: the same operands give the same bits.

Triton is imported by the first operation, not before. Under TRITON_INTERPRET=1, set before Python starts, its
interpreter runs the same kernels on the CPU, slowly, for tests.
"""

from __future__ import annotations

import importlib.util
import os
from typing import Any

import torch
from torch import Tensor

from sigconv.geometry import Geometry
from sigconv.kernels.problem import NO_WINNER, Problem

DTYPES = (torch.float32, torch.bfloat16, torch.float16)
DEVICES = ("cuda", "cpu") if os.environ.get("TRITON_INTERPRET") == "1" else ("cuda",)

AXES = 3
FEW = 3
"""Most input channels of a convolution that is computed as one of few channels."""
WIDEST = 128
"""Most places of a depthwise window: the gradients of all its weights are summed up side by side."""

_INSTALLED = importlib.util.find_spec("triton") is not None


def supports(problem: Problem) -> bool:
    return (
        _INSTALLED
        and problem.plain
        and problem.device in DEVICES
        and problem.dtype in DTYPES
        and problem.geometry.window.ndim <= AXES
        and _is_addressable(problem)
        and _has_kernel(problem)
    )


def _is_addressable(problem: Problem) -> bool:
    """Whether there is anything to compute, and places of one item of the batch, and blocks of them, are int32."""
    largest = max(problem.inputs, problem.outputs) // max(problem.batch, 1)
    return min(problem.inputs, problem.outputs) > 0 and largest < 1 << 30


def _has_kernel(problem: Problem) -> bool:
    window = problem.geometry.window
    few = _has_few_channels(problem.in_channels, problem.geometry)
    depthwise = problem.depthwise and not few and window.places <= WIDEST
    match problem.operation:
        case "forward" | "grad_weight":
            return few or depthwise
        case "grad_input":
            return depthwise
        case "max_pool" | "rectified_max_pool" | "normalised_max_pool":
            return window.places < NO_WINNER
        case "route" | "gather" | "grad_normalised_max_pool" | "error_sums":
            return problem.winners == torch.uint8
        case "normalise" | "grad_normalise":
            return True
        case _:
            return False


def _has_few_channels(in_channels: int, geometry: Geometry) -> bool:
    return geometry.groups == 1 and in_channels <= FEW


def _convolution(in_channels: int, geometry: Geometry) -> Any:
    """The module for such a convolution."""
    from sigconv.kernels.triton import depthwise, few_channels

    return few_channels if _has_few_channels(in_channels, geometry) else depthwise


def forward(x: Tensor, w: Tensor, bias: Tensor | None, geometry: Geometry) -> Tensor:
    bias = None if bias is None else bias.contiguous()
    with torch.cuda.device_of(x):
        return _convolution(x.shape[1], geometry).forward(x, w, bias, geometry)


def grad_input(w: Tensor, g: Tensor, geometry: Geometry) -> Tensor:
    from sigconv.kernels.triton import depthwise

    with torch.cuda.device_of(g):
        return depthwise.grad_input(w, g, geometry)


def grad_weight(x: Tensor, g: Tensor, geometry: Geometry) -> Tensor:
    with torch.cuda.device_of(x):
        return _convolution(x.shape[1], geometry).grad_weight(x, g, geometry)


def max_pool(x: Tensor, geometry: Geometry) -> tuple[Tensor, Tensor]:
    """The winners are places in the windows, uint8."""
    from sigconv.kernels.triton import pooling

    with torch.cuda.device_of(x):
        return pooling.max_pool(x, None, geometry)


def rectified_max_pool(x: Tensor, scale: Tensor, shift: Tensor, geometry: Geometry) -> tuple[Tensor, Tensor]:
    """The maximum of relu(scale x + shift) in each window; scale and shift are (channel,)."""
    from sigconv.kernels.triton import pooling

    with torch.cuda.device_of(x):
        return pooling.max_pool(x, (scale.contiguous(), shift.contiguous()), geometry)


def normalised_max_pool(
    x: Tensor, weight: Tensor, bias: Tensor, eps: float, geometry: Geometry
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The same of x normalised by its own statistics, and these: mean and (biased) variance, float64."""
    from sigconv.kernels.triton import pooling
    from sigconv.kernels.triton.moments import Features, moments

    with torch.cuda.device_of(x):
        mean, var = moments(x, 1)
        factors = Features(weight.contiguous(), bias.contiguous(), mean, var, eps)
        return *pooling.max_pool(x, factors, geometry), mean, var


def grad_normalised_max_pool(
    x: Tensor, winner: Tensor, g: Tensor, weight: Tensor, mean: Tensor, var: Tensor, eps: float, geometry: Geometry
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of :func:`normalised_max_pool` by x, weight and bias; the sums are over the pooled map alone."""
    from sigconv.kernels.triton import routing
    from sigconv.kernels.triton.moments import Features, pooled_error_sums, slopes

    with torch.cuda.device_of(g):
        sums = pooled_error_sums(x, winner, g, mean, geometry)
        features = Features(weight.contiguous(), None, mean, var, eps)
        factors, gw, gb = slopes(sums, features, x.numel() // x.shape[1])
        return routing.route(winner, g, geometry, (x, factors)), gw, gb


def error_sums(winner: Tensor, g: Tensor, geometry: Geometry) -> Tensor:
    """Of each channel, the sum of the errors g of windows that have a winner."""
    from sigconv.kernels.triton.moments import pooled_error_sums

    with torch.cuda.device_of(g):
        return pooled_error_sums(None, winner, g, None, geometry)[:, 0].sum(0).to(g.dtype)


def normalise(x: Tensor, weight: Tensor, bias: Tensor, eps: float, rectified: bool) -> tuple[Tensor, Tensor, Tensor]:
    """x, normalised by bands, or ReLU of that; and mean and (biased) variance of each, float64."""
    from sigconv.kernels.triton import normalising

    with torch.cuda.device_of(x):
        return normalising.normalise(x, weight.contiguous(), bias.contiguous(), eps, rectified)


def grad_normalise(
    x: Tensor, g: Tensor, weight: Tensor, bias: Tensor, mean: Tensor, var: Tensor, eps: float, rectified: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of :func:`normalise` by x, weight and bias."""
    from sigconv.kernels.triton import normalising
    from sigconv.kernels.triton.moments import Features

    with torch.cuda.device_of(g):
        features = Features(weight.contiguous(), bias.contiguous(), mean, var, eps)
        return normalising.grad_normalise(x, g, features, rectified)


def route(winner: Tensor, g: Tensor, geometry: Geometry) -> Tensor:
    from sigconv.kernels.triton import routing

    with torch.cuda.device_of(g):
        return routing.route(winner, g, geometry)


def gather(x: Tensor, winner: Tensor, geometry: Geometry) -> Tensor:
    from sigconv.kernels.triton import routing

    with torch.cuda.device_of(x):
        return routing.gather(x, winner, geometry)
