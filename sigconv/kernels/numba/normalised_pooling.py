"""Batch normalisation, ReLU and max pooling in one call, compiled: what is small is computed between the loops.

What goes through signals is in :mod:`.statistics` and :mod:`.pooling`. Factors are (channel).
"""

from __future__ import annotations

import numpy as np

from .pooling import error_sums, max_pool, route
from .runtime import jit
from .statistics import moments


@jit(parallel=False)
def forward(x, wide, weight, bias, eps, y, winner, mean, var, *window):
    """y and the winners, and mean and (biased) variance, float64; ``wide`` is x as statistics are taken of it."""
    channels = x.shape[2]
    moments(wide, mean.reshape(1, channels), var.reshape(1, channels))
    scale, shift = np.empty(channels, x.dtype), np.empty(channels, x.dtype)
    for c in range(channels):
        factor = weight[c] / np.sqrt(var[c] + eps)
        scale[c], shift[c] = factor, bias[c] - factor * mean[c]
    max_pool(x, (scale, shift), y, winner, *window)


@jit(parallel=False)
def backward(x, winner, g, weight, mean, var, eps, gx, gw, gb, *window):
    """The gradients by x, weight and bias."""
    channels = x.shape[2]
    count = x.shape[0] * x.shape[1]
    errors, products = np.empty(channels, x.dtype), np.empty(channels, x.dtype)
    error_sums(g, winner, x, errors, products, *window)
    scale, slope, base = np.empty(channels, x.dtype), np.empty(channels, x.dtype), np.empty(channels, x.dtype)
    for c in range(channels):
        invstd = 1 / np.sqrt(var[c] + eps)
        by, of_weight = weight[c] * invstd, invstd * (products[c] - mean[c] * errors[c])
        along = -by * invstd * of_weight / count
        scale[c], slope[c], base[c] = by, along, -by * errors[c] / count - along * mean[c]
        gw[c], gb[c] = of_weight, errors[c]
    route(g, winner, (x.reshape(-1), slope, base, scale), gx, *window)
