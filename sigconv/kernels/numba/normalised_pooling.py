"""Batch normalisation, ReLU and max pooling in one compiled call, with per-channel values computed between the loops.

The loops over signals are in :mod:`.statistics` and :mod:`.pooling`.
"""

import numpy as np

from sigconv.kernels.compiled.runtime import jit
from sigconv.kernels.numba.pooling import error_sums, max_pool, route
from sigconv.kernels.numba.statistics import moments, scale_of, set_factors, set_gradients


@jit
def forward(x, wide, weight, bias, eps, y, winner, mean, var, *window):
    """Set y, the winners, and mean and (biased) variance, float64; ``wide`` is x in the form that statistics take.

    weight, bias, mean and variance are (channel, band), with one band.
    """
    channels = x.shape[2]
    moments(wide, mean.reshape(1, channels), var.reshape(1, channels))
    scale, shift = np.empty((1, channels), x.dtype), np.empty((1, channels), x.dtype)
    set_factors(weight, bias, mean, var, eps, scale, shift)
    max_pool(x, (scale[0], shift[0]), y, winner, *window)


@jit
def backward(x, winner, g, weight, mean, var, eps, gx, gw, gb, *window):
    """The gradients of x, weight and bias, from what :func:`forward` gave and its output's gradient g."""
    shape, count = (1, x.shape[2]), x.shape[0] * x.shape[1]
    errors, products = np.empty(shape, x.dtype), np.empty(shape, x.dtype)
    error_sums(g, winner, x, errors[0], products[0], *window)
    slope, base, scale = np.empty(shape, x.dtype), np.empty(shape, x.dtype), np.empty(shape, x.dtype)
    for c in range(len(weight)):
        products[0, c] -= mean[c, 0] * errors[0, c]
        scale[0, c] = scale_of(weight, var, eps, c, 0)
    set_gradients(weight, mean, var, eps, count, errors, products, gw, gb, slope, base)
    route(g, winner, (x.reshape(-1), slope[0], base[0], scale[0]), gx, *window)
