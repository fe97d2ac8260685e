"""The definition: every operation as its formula, for any number of dimensions.

With ``o`` an output place, ``k`` a place of the window, ``s`` the stride, ``d`` the dilation and ``x`` padded,

    y[b, c, o] = sum over i, k of  x[b, i, s*o + d*k] * w[c, i, k]

is written as a sum over ``k`` of whole arrays: ``x[..., s*o + d*k]`` for all ``o`` at once is a strided view. Sums run
in float32 at least, whatever the dtype of their terms.

Shapes: x (batch, in channels, *size), w (out channels, in channels / groups, *kernel), g and y (batch, out channels,
*output size).
"""

import functools
import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, einsum, isnan, where

from sigconv.geometry import Geometry, PooledGeometry
from sigconv.kernels.problem import NO_WINNER, Problem
from sigconv.padding import crop, pad_constant
from sigconv.window import Sizes

DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)


def supports(problem: Problem) -> bool:
    """Everything."""
    return True


def forward(x: Tensor, w: Tensor, bias: Tensor | None, geometry: Geometry) -> Tensor:
    """y[o] = bias + sum over k of x[s*o + d*k] w[k]."""
    seen = _views(_wide(x), geometry)
    w_groups = _grouped(_wide(w), 0, geometry.groups)
    terms = (
        einsum("bgi...,goi->bgo...", _grouped(seen(k), 1, geometry.groups), _weights_at(w_groups, k))
        for k in geometry.window.offsets()
    )
    y = _sum(terms).flatten(1, 2)
    if bias is not None:
        y = y + bias.reshape(-1, *[1] * geometry.window.ndim)
    return y.to(x.dtype)


def grad_input(w: Tensor, g: Tensor, geometry: Geometry) -> Tensor:
    """gx[s*o + d*k] = sum over all such o and k of g[o] w[k]."""
    g_groups = _grouped(_wide(g), 1, geometry.groups)
    w_groups = _grouped(_wide(w), 0, geometry.groups)

    def term(k: Sizes) -> Tensor:
        return einsum("bgo...,goi->bgi...", g_groups, _weights_at(w_groups, k)).flatten(1, 2)

    return _scatter(term, geometry).to(g.dtype)


def grad_weight(x: Tensor, g: Tensor, geometry: Geometry) -> Tensor:
    """gw[k] = sum over o of x[s*o + d*k] g[o]."""
    seen = _views(_wide(x), geometry)
    g_groups = _grouped(_wide(g), 1, geometry.groups).flatten(3)
    terms = [
        einsum("bgil,bgol->goi", _grouped(seen(k), 1, geometry.groups).flatten(3), g_groups)
        for k in geometry.window.offsets()
    ]
    gw = torch.stack(terms, -1).flatten(0, 1)
    return gw.reshape(*gw.shape[:2], *geometry.window.kernel).to(x.dtype)


def max_pool(x: Tensor, geometry: Geometry) -> tuple[Tensor, Tensor]:
    """y[o] = max over k of x[s*o + d*k]; and the winner, as its index in the flattened unpadded input (int64).

    As in torch the first of equal values wins, a NaN wins over numbers, and padding never wins.
    """
    best, place = _best_and_place(x, geometry)
    return best, geometry.index_of(place)


def rectified_max_pool(x: Tensor, scale: Tensor, shift: Tensor, geometry: Geometry) -> tuple[Tensor, Tensor]:
    """y[o] = max over k of relu(scale x[s*o + d*k] + shift); and the winner, as its place in the window (uint8).

    scale and shift are (channel,). Where scale is negative the smallest x wins. A window whose ReLU is zero has
    NO_WINNER: its gradient goes nowhere.
    """
    scale, shift = (t.reshape(-1, *[1] * geometry.window.ndim) for t in (scale, shift))
    best, place = _best_and_place(scale * _wide(x) + shift, geometry)
    y = torch.relu(best).to(x.dtype)
    return y, where(y <= 0, NO_WINNER, place).to(torch.uint8)


def _best_and_place(x: Tensor, geometry: Geometry) -> tuple[Tensor, Tensor]:
    inside = _views(x.new_ones((1, 1, *geometry.size)), geometry)
    seen = _views(x, geometry, float("-inf"))
    best, winner = x.new_full((), float("-inf")), torch.full((), -1, device=x.device)
    for place, k in enumerate(geometry.window.offsets()):
        value = seen(k)
        better = (inside(k) > 0) & ((winner < 0) | (value > best) | isnan(value))
        best, winner = where(better, value, best), where(better, place, winner)
    return best, winner


def route(winner: Tensor, g: Tensor, geometry: Geometry) -> Tensor:
    """gx[j] = sum over all o whose winner is j of g[o]: the gradient goes to the winner."""
    index, lost = _index_and_lost(winner, geometry)
    g = g.masked_fill(lost, 0)
    index, flat = (t.reshape(*t.shape[:2], math.prod(geometry.output_size)) for t in (index, g))
    gx = g.new_zeros((*g.shape[:2], math.prod(geometry.size))).scatter_add(2, index, flat)
    return gx.reshape(*g.shape[:2], *geometry.size)


def grad_input_of_winners(w: Tensor, winner: Tensor, g: Tensor, geometry: PooledGeometry) -> Tensor:
    """grad_input of a convolution whose output was pooled, from the gradient of the pooled map."""
    return grad_input(w, route(winner, g, geometry.pooling), geometry.convolution)


def grad_weight_of_winners(x: Tensor, winner: Tensor, g: Tensor, geometry: PooledGeometry) -> Tensor:
    """grad_weight of a convolution whose output was pooled, from the gradient of the pooled map."""
    return grad_weight(x, route(winner, g, geometry.pooling), geometry.convolution)


def gather(x: Tensor, winner: Tensor, geometry: Geometry) -> Tensor:
    """y[o] = x[j] with j the winner of o: the adjoint of :func:`route`."""
    index, lost = _index_and_lost(winner, geometry)
    return x.flatten(2).gather(2, index.flatten(2)).reshape(winner.shape).masked_fill(lost, 0)


def error_sums(winner: Tensor, g: Tensor, geometry: Geometry) -> Tensor:
    """For each channel, the sum of g[o] over windows that have a winner."""
    return g.masked_fill(_is_lost(winner), 0).sum([d for d in range(g.ndim) if d != 1])


def normalised_max_pool(
    x: Tensor, weight: Tensor, bias: Tensor, eps: float, geometry: Geometry
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """:func:`rectified_max_pool` of x normalised by its own statistics; and these as in :func:`_normalisation`."""
    scale, shift, mean, var = _normalisation(x, weight, bias, eps)
    return *rectified_max_pool(x, scale, shift, geometry), mean, var


def grad_normalised_max_pool(
    x: Tensor, winner: Tensor, g: Tensor, weight: Tensor, mean: Tensor, var: Tensor, eps: float, geometry: Geometry
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of :func:`normalised_max_pool` with respect to x, weight and bias, from that of its output, g."""
    return _grad_normalise(x, route(winner, g, geometry), weight, mean, var, eps)


def moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and (biased) variance of each map of each signal: x (batch, channel, *size) -> (batch, channel), float64."""
    var, mean = torch.var_mean(x.flatten(2).double(), 2, correction=0)
    return mean, var


def scaled(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """scale x + shift: x (batch, channel, *size), factors (batch, channel)."""
    return (x.flatten(2) * scale[:, :, None] + shift[:, :, None]).reshape(x.shape)


def normalise(x: Tensor, weight: Tensor, bias: Tensor, eps: float, rectified: bool) -> tuple[Tensor, Tensor, Tensor]:
    """x (batch, channel, *size) normalised, then ReLU if ``rectified``; and the statistics of :func:`_normalisation`.

    weight, bias, mean and variance are (channel x band,): the first spatial axis is cut into that many equal bands,
    each of which is normalised separately.
    """
    seen = _in_bands(x, weight).double()
    scale, shift, mean, var = _normalisation(seen, weight, bias, eps)
    y = (seen * scale[:, None] + shift[:, None]).reshape(x.shape).to(x.dtype)
    return torch.relu(y) if rectified else y, mean, var


def grad_normalise(
    x: Tensor, g: Tensor, weight: Tensor, bias: Tensor, mean: Tensor, var: Tensor, eps: float, rectified: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of :func:`normalise` for x, weight and bias, from that of its output, g, masked by the ReLU."""
    if rectified:
        g = g.masked_fill(normalise(x, weight, bias, eps, True)[0] <= 0, 0)
    return _grad_normalise(x, g, weight, mean, var, eps)


def _grad_normalise(
    x: Tensor, g: Tensor, weight: Tensor, mean: Tensor, var: Tensor, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of normalisation.

    With z = (x - mean) / sqrt(var + eps) the weight's gradient is the sum of g z, the bias's is the sum of g, and x's
    is weight / sqrt(var + eps) (g - mean of g - z times the mean of g z).
    """
    errors, invstd = _in_bands(g, weight).double(), (var + eps).rsqrt()
    z = (_in_bands(x, weight) - mean[:, None]) * invstd[:, None]
    gx = errors - errors.mean((0, 2), keepdim=True) - z * (errors * z).mean((0, 2), keepdim=True)
    gx *= (weight * invstd)[:, None]
    gw, gb = ((errors * factor).sum((0, 2)).to(x.dtype) for factor in (z, 1))
    return gx.reshape(x.shape).to(x.dtype), gw, gb


def _normalisation(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The scale and the shift that normalise each channel of x (batch, channel, *size), and its mean and variance.

    With a = weight / sqrt(var + eps) these are a and bias - a mean, with (biased) variance; all of them float64.
    """
    var, mean = torch.var_mean(x.double(), [d for d in range(x.ndim) if d != 1], correction=0)
    scale = weight * (var + eps).rsqrt()
    return scale, bias - scale * mean, mean, var


def _in_bands(x: Tensor, weight: Tensor) -> Tensor:
    """x (batch, channel, *size) as (batch, channel x band, place)."""
    return x.reshape(len(x), len(weight), -1)


def _index_and_lost(winner: Tensor, geometry: Geometry) -> tuple[Tensor, Tensor]:
    """Winners as indices, and which windows have none."""
    lost = _is_lost(winner)
    if winner.dtype != torch.uint8:
        return winner, lost
    return geometry.index_of(winner.masked_fill(lost, 0)).masked_fill(lost, 0), lost


def _is_lost(winner: Tensor) -> Tensor:
    return winner == NO_WINNER if winner.dtype == torch.uint8 else torch.zeros_like(winner, dtype=torch.bool)


def sum_pool(x: Tensor, geometry: Geometry) -> Tensor:
    """y[o] = sum over k of x[s*o + d*k]."""
    return _sum(map(_views(_wide(x), geometry), geometry.window.offsets())).to(x.dtype)


def spread(g: Tensor, geometry: Geometry) -> Tensor:
    """gx[s*o + d*k] = sum over all such o and k of g[o]: the adjoint of :func:`sum_pool`."""
    return _scatter(lambda k: _wide(g), geometry).to(g.dtype)


def _wide(x: Tensor) -> Tensor:
    return x.float() if x.element_size() < 4 else x


def _grouped(x: Tensor, dim: int, groups: int) -> Tensor:
    """Split the channels at ``dim`` into (groups, channels of a group)."""
    return x.reshape(*x.shape[:dim], groups, x.shape[dim] // groups, *x.shape[dim + 1 :])


def _weights_at(w_groups: Tensor, k: Sizes) -> Tensor:
    return w_groups[(..., *k)]  # type: ignore[index]


def _sum(terms: Iterable[Tensor]) -> Tensor:
    return functools.reduce(torch.add, terms)


def _views(x: Tensor, geometry: Geometry, fill: float = 0.0) -> Callable[[Sizes], Tensor]:
    """The padded input as all the windows see it at one of their places."""
    padded, out = pad_constant(x, geometry.window.padding, fill), geometry.output_size
    return lambda k: padded[geometry.window.samples(k, out)]


def _scatter(term: Callable[[Sizes], Tensor], geometry: Geometry) -> Tensor:
    """Add each place's term to the samples that the windows see there: the adjoint of :func:`_views`."""
    window, out = geometry.window, geometry.output_size
    terms = {k: term(k) for k in window.offsets()}
    batch_and_channels = terms[(0,) * window.ndim].shape[:2]
    # Made from a term, so that it is batched under vmap wherever a term is.
    padded = terms[(0,) * window.ndim].new_zeros((*batch_and_channels, *geometry.padded_size))
    for k, values in terms.items():
        padded[window.samples(k, out)] += values
    return crop(padded, window.padding)
