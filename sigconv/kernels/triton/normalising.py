"""Batch normalisation of bands, with or without ReLU after it, and its gradients.

Only x is kept for the gradients: whether ReLU lets a gradient through is recomputed from its input.
"""

import triton.language as tl
from torch import Tensor

from sigconv.kernels.triton.bands import block_of, feature_of, in_bands, read
from sigconv.kernels.triton.features import Features
from sigconv.kernels.triton.moments import moments
from sigconv.kernels.triton.strided import address
from sigconv.kernels.triton.sums_of_errors import error_sums, slopes
from sigconv.kernels.triton.tape import laid_out_empty
from sigconv.kernels.triton.tuning import fixed
from sigconv.layout import like


def normalise(x: Tensor, weight: Tensor, bias: Tensor, eps: float, rectified: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Each feature of x normalised by its own statistics, then ReLU if ``rectified``; and mean and biased variance.

    The statistics are float64.

    x (batch, channel, *size), weight and bias (channel x band,).
    """
    bands = len(weight) // x.shape[1]
    features, scale, shift = moments(x, weight, bias, eps)
    y, parts = laid_out_empty(x, x.shape[1], x.shape[2:]), in_bands(x, bands)
    _normalise(
        parts.in_blocks(bands),
        parts.signal,
        scale,
        shift,
        in_bands(y, bands).signal,
        rectified=rectified,
        **parts.form,
    )
    return y, features.mean, features.var


@fixed(warps=8)
def _normalise(x, scale, shift, y, rectified: tl.constexpr, channels: tl.constexpr, places: tl.constexpr):
    block = block_of(x, tl.program_id(0), channels, places)
    known, feature = block[1] < x.channels, feature_of(block[1])
    by, on = tl.load(scale + feature, known, other=0.0), tl.load(shift + feature, known, other=0.0)
    value = tl.fma(read(x, block), by, on)
    if rectified:
        value = tl.where(value <= 0, 0.0, value)
    tl.store(address(y, block[0], block[1], block[2]), value, block[3])


def grad_normalise(x: Tensor, g: Tensor, features: Features, rectified: bool) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of :func:`normalise` with respect to x, weight and bias."""
    g, number = like(g, x), len(features.mean)
    bands = number // x.shape[1]
    factors, gw, gb = slopes(error_sums(x, g, features, rectified), features, x.numel() // number)
    gx, parts = laid_out_empty(x, x.shape[1], x.shape[2:]), in_bands(x, bands)
    _grad_normalise(
        parts.in_blocks(bands),
        parts.signal,
        in_bands(g, bands).signal,
        factors,
        in_bands(gx, bands).signal,
        rectified=rectified,
        **parts.form,
    )
    return gx, gw, gb


@fixed(warps=8)
def _grad_normalise(x, g, factors, gx, rectified: tl.constexpr, channels: tl.constexpr, places: tl.constexpr):
    block = block_of(x, tl.program_id(0), channels, places)
    known, feature, number = block[1] < x.channels, feature_of(block[1]), x.channels * tl.num_programs(2)
    scale = tl.load(factors + feature, known, other=0.0)
    slope = tl.load(factors + number + feature, known, other=0.0)
    level = tl.load(factors + 2 * number + feature, known, other=0.0)
    value, error = read(x, block), read(g, block)
    if rectified:
        shift = tl.load(factors + 3 * number + feature, known, other=0.0)
        error = tl.where(tl.fma(value, scale, shift) > 0, error, 0.0)
    tl.store(address(gx, block[0], block[1], block[2]), tl.fma(scale, error, tl.fma(slope, value, level)), block[3])
