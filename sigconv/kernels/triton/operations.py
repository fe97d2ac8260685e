"""The operations, each a tape once it has been called: see :mod:`sigconv.kernels.triton.tape`."""

from typing import Any

import torch
from torch import Tensor

from sigconv.geometry import Geometry
from sigconv.kernels.triton import depthwise, few_channels, has_few_channels, normalising, pooling, routing
from sigconv.kernels.triton.chunks import joined
from sigconv.kernels.triton.features import Features
from sigconv.kernels.triton.moments import moments
from sigconv.kernels.triton.sums_of_errors import pooled_error_sums, slopes
from sigconv.kernels.triton.tape import empty, taped


def forward(x: Tensor, w: Tensor, bias: Tensor | None, geometry: Geometry) -> Tensor:
    if has_few_channels(x.shape[1], geometry):
        return _few_channels_forward(x, w, bias, geometry, _precision())
    return _depthwise_forward(x, w, bias, geometry)


def grad_weight(x: Tensor, g: Tensor, geometry: Geometry) -> Tensor:
    if has_few_channels(x.shape[1], geometry):
        return _few_channels_grad_weight(x, g, geometry, _precision())
    return _depthwise_grad_weight(x, g, geometry)


def _precision() -> str:
    """The precision of float32 products, as torch's own switch sets it."""
    cudnn: Any = torch.backends.cudnn
    return "tf32" if cudnn.conv.fp32_precision == "tf32" else "ieee"


_few_channels_forward = taped(few_channels.forward)
_few_channels_grad_weight = taped(few_channels.grad_weight)
_depthwise_forward = taped(depthwise.forward)
_depthwise_grad_weight = taped(depthwise.grad_weight)
grad_input = taped(depthwise.grad_input)
route = taped(routing.route)
normalise = taped(normalising.normalise)


@taped
def max_pool(x: Tensor, geometry: Geometry) -> tuple[Tensor, Tensor]:
    """The winners are places in the windows, uint8."""
    return pooling.max_pool(x, None, geometry)


@taped
def rectified_max_pool(x: Tensor, scale: Tensor, shift: Tensor, geometry: Geometry) -> tuple[Tensor, Tensor]:
    """The maximum of relu(scale x + shift) in each window; scale and shift are (channel,)."""
    return pooling.max_pool(x, (scale, shift), geometry)


@taped
def normalised_max_pool(
    x: Tensor, weight: Tensor, bias: Tensor, eps: float, geometry: Geometry
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The same for x normalised by its own statistics, and these: mean and (biased) variance, float64."""
    features, scale, shift = moments(x, weight, bias, eps)
    return *pooling.max_pool(x, (scale, shift), geometry), features.mean, features.var


@taped
def grad_normalised_max_pool(
    x: Tensor, winner: Tensor, g: Tensor, weight: Tensor, mean: Tensor, var: Tensor, eps: float, geometry: Geometry
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of :func:`normalised_max_pool` for x, weight and bias; their sums run over the pooled map alone."""
    sums, features = pooled_error_sums(x, winner, g, mean, geometry), Features(weight, None, mean, var, eps)
    factors, gw, gb = slopes(sums, features, x.numel() // x.shape[1])
    return routing.route(winner, g, geometry, (x, factors)), gw, gb


@taped
def error_sums(winner: Tensor, g: Tensor, geometry: Geometry) -> Tensor:
    """For each channel, the sum of the gradients g of windows that have a winner."""
    return joined(pooled_error_sums(None, winner, g, None, geometry), empty(g, (g.shape[1],)))


@taped
def grad_normalise(
    x: Tensor, g: Tensor, weight: Tensor, bias: Tensor, mean: Tensor, var: Tensor, eps: float, rectified: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of :func:`normalise` with respect to x, weight and bias."""
    return normalising.grad_normalise(x, g, Features(weight, bias, mean, var, eps), rectified)
