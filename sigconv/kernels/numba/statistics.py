"""Loops over what is normalised or summed up as mean and variance, compiled.

A batch is (signal, band, row, channel), and statistics are of each band and channel, over signals and rows. Sums over
all of them are taken in chunks, by as many threads as there are, and these are added in their order. Factors in loops
are (band, channel), what layers keep is (channel, band). Rows of few channels are gone through several at a time, as
one row of more lanes, of which each channel has as many. ``zero`` is that of the signals' type, or None without ReLU.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from .runtime import jit

CHUNKS = 16
"""Parts of a band whose sums are taken apart."""

TILE = 64
"""Rows of a signal that are gone through again while they are near."""

WIDE = 64
"""Most lanes of several rows side by side."""


@njit(inline="always")
def side_by_side(x):
    """x with as few rows as it can have, each of several: (signal, band, row, lane)."""
    signals, bands, rows, channels = x.shape
    fold = 1
    while rows % (2 * fold) == 0 and 2 * fold * channels <= WIDE:
        fold *= 2
    return x.reshape(signals, bands, rows // fold, fold * channels)


@njit(inline="always")
def repeated(factors, lanes):
    """Factors (band, channel) for each lane."""
    bands, channels = factors.shape
    found = np.empty((bands, lanes), factors.dtype)
    for band in range(bands):
        for first in range(0, lanes, channels):
            found[band, first : first + channels] = factors[band]
    return found


@njit(inline="always")
def tiles_of(rows):
    return (rows + TILE - 1) // TILE


@njit(inline="always")
def rows_of(tile, rows):
    """The signal that a band's tile is of, and its rows there: from, to."""
    signal, first = tile // tiles_of(rows), tile % tiles_of(rows) * TILE
    return signal, first, min(first + TILE, rows)


@jit(reorder=True)
def moments(x, mean, var):
    """mean and (biased) variance of x, each (band, channel), float64.

    Of each chunk the mean and the sum of squared distances from it, float64, are taken by themselves. Tiles, and then
    chunks, are joined as in Chan, Golub & LeVeque, "Updating formulae and a pairwise algorithm for computing sample
    variances", 1979.
    """
    wide = side_by_side(x)
    signals, bands, rows, lanes = wide.shape
    tiles, channels, count = signals * tiles_of(rows), x.shape[3], signals * x.shape[2]
    counts = np.zeros(bands * CHUNKS)
    means, squares = np.zeros((bands * CHUNKS, lanes)), np.zeros((bands * CHUNKS, lanes))
    for task in prange(bands * CHUNKS):
        band, chunk = task // CHUNKS, task % CHUNKS
        middle, square = np.empty(lanes, x.dtype), np.empty(lanes, x.dtype)
        for tile in range(tiles * chunk // CHUNKS, tiles * (chunk + 1) // CHUNKS):
            signal, begin, end = rows_of(tile, rows)
            middle[:] = 0
            square[:] = 0
            for row in range(begin, end):
                seen = wide[signal, band, row]
                for lane in range(lanes):
                    middle[lane] += seen[lane]
            for lane in range(lanes):
                middle[lane] /= end - begin
            for row in range(begin, end):
                seen = wide[signal, band, row]
                for lane in range(lanes):
                    square[lane] += (seen[lane] - middle[lane]) ** 2
            before, here = counts[task], end - begin
            share = here / (before + here)
            for lane in range(lanes):
                apart = middle[lane] - means[task, lane]
                means[task, lane] += apart * share
                squares[task, lane] += square[lane] + apart * apart * before * share
            counts[task] += here
    mean[:], var[:] = 0, 0
    for band in range(bands):
        for task in range(band * CHUNKS, (band + 1) * CHUNKS):
            for first in range(0, lanes, channels):
                for c in range(channels):
                    mean[band, c] += means[task, first + c] * counts[task] / count
        for task in range(band * CHUNKS, (band + 1) * CHUNKS):
            for first in range(0, lanes, channels):
                for c in range(channels):
                    apart = means[task, first + c] - mean[band, c]
                    var[band, c] += (squares[task, first + c] + counts[task] * apart * apart) / count


@njit(inline="always")
def rectified(value, zero):
    return value if zero is None or not value <= zero else zero  # NaN stays


@jit(reorder=True)
def scaled(x, scale, shift, zero, y):
    """y = scale x + shift, or ReLU of that with a zero; scale and shift are (band, channel)."""
    wide, made = side_by_side(x), side_by_side(y)
    signals, bands, rows, lanes = wide.shape
    factors, summands = repeated(scale, lanes), repeated(shift, lanes)
    tiles = signals * tiles_of(rows)
    for task in prange(bands * tiles):
        band = task // tiles
        signal, begin, end = rows_of(task % tiles, rows)
        by, on = factors[band], summands[band]
        for row in range(begin, end):
            seen, out = wide[signal, band, row], made[signal, band, row]
            for lane in range(lanes):
                out[lane] = rectified(by[lane] * seen[lane] + on[lane], zero)


@njit(inline="always")
def passed(error, value, zero):
    return error if zero is None or not value <= zero else zero


@jit(reorder=True)
def error_sums(x, g, scale, shift, zero, middle, errors, products):
    """The sums of g, with a zero only where scale x + shift is above it, and of g (x - middle), each float64."""
    wide, wide_g = side_by_side(x), side_by_side(g)
    signals, bands, rows, lanes = wide.shape
    tiles, channels = signals * tiles_of(rows), x.shape[3]
    factors, summands, middles = repeated(scale, lanes), repeated(shift, lanes), repeated(middle, lanes)
    of_errors, of_products = np.zeros((bands * CHUNKS, lanes)), np.zeros((bands * CHUNKS, lanes))
    for task in prange(bands * CHUNKS):
        band, chunk = task // CHUNKS, task % CHUNKS
        by, on, near = factors[band], summands[band], middles[band]
        error_sum, product_sum = np.empty(lanes, x.dtype), np.empty(lanes, x.dtype)
        for tile in range(tiles * chunk // CHUNKS, tiles * (chunk + 1) // CHUNKS):
            signal, begin, end = rows_of(tile, rows)
            error_sum[:] = 0
            product_sum[:] = 0
            for row in range(begin, end):
                seen, error = wide[signal, band, row], wide_g[signal, band, row]
                for lane in range(lanes):
                    alive = passed(error[lane], by[lane] * seen[lane] + on[lane], zero)
                    error_sum[lane] += alive
                    product_sum[lane] += alive * (seen[lane] - near[lane])
            for lane in range(lanes):
                of_errors[task, lane] += error_sum[lane]
                of_products[task, lane] += product_sum[lane]
    errors[:], products[:] = 0, 0
    for band in range(bands):
        for task in range(band * CHUNKS, (band + 1) * CHUNKS):
            for first in range(0, lanes, channels):
                for c in range(channels):
                    errors[band, c] += of_errors[task, first + c]
                    products[band, c] += of_products[task, first + c]


@jit(reorder=True)
def combined(x, g, scale, shift, zero, slope, base, gx):
    """gx = scale g + slope x + base, with a zero g only where scale x + shift is above it."""
    wide, wide_g, made = side_by_side(x), side_by_side(g), side_by_side(gx)
    signals, bands, rows, lanes = wide.shape
    factors, summands, slopes, bases = (
        repeated(scale, lanes),
        repeated(shift, lanes),
        repeated(slope, lanes),
        repeated(base, lanes),
    )
    tiles = signals * tiles_of(rows)
    for task in prange(bands * tiles):
        band = task // tiles
        signal, begin, end = rows_of(task % tiles, rows)
        by, on, along, rest = factors[band], summands[band], slopes[band], bases[band]
        for row in range(begin, end):
            seen, error, out = wide[signal, band, row], wide_g[signal, band, row], made[signal, band, row]
            for lane in range(lanes):
                alive = passed(error[lane], by[lane] * seen[lane] + on[lane], zero)
                out[lane] = by[lane] * alive + (along[lane] * seen[lane] + rest[lane])


@njit(inline="always")
def set_factors(weight, bias, mean, var, eps, scale, shift):
    """The scale and shift (band, channel) that normalise what has this mean and variance."""
    for band in range(scale.shape[0]):
        for c in range(scale.shape[1]):
            factor = weight[c, band] / np.sqrt(var[c, band] + eps)
            scale[band, c], shift[band, c] = factor, bias[c, band] - factor * mean[c, band]


@jit(parallel=False)
def normalise(x, weight, bias, eps, zero, y, mean, var):
    """y, x normalised, or ReLU of that with a zero, and mean and variance (channel, band)."""
    shape = (x.shape[1], x.shape[3])
    scale, shift = np.empty(shape, x.dtype), np.empty(shape, x.dtype)
    means, variances = np.empty(shape), np.empty(shape)
    moments(x, means, variances)
    mean[:], var[:] = means.T, variances.T
    set_factors(weight, bias, mean, var, eps, scale, shift)
    scaled(x, scale, shift, zero, y)


@jit(parallel=False)
def grad_normalise(x, g, weight, bias, mean, var, eps, zero, gx, gw, gb):
    """The gradients of :func:`normalise` from the errors g."""
    signals, bands, rows, channels = x.shape
    shape, count = (bands, channels), signals * rows
    scale, shift = np.empty(shape, x.dtype), np.empty(shape, x.dtype)
    slope, base = np.empty(shape, x.dtype), np.empty(shape, x.dtype)
    middle, errors, products = np.empty(shape, x.dtype), np.empty(shape), np.empty(shape)
    set_factors(weight, bias, mean, var, eps, scale, shift)
    middle[:] = mean.T
    error_sums(x, g, scale, shift, zero, middle, errors, products)
    for band in range(bands):
        for c in range(channels):
            invstd, error = 1 / np.sqrt(var[c, band] + eps), errors[band, c]
            lost = error * (middle[band, c] - mean[c, band])  # when the mean was rounded
            gw[c, band], gb[c, band] = invstd * (products[band, c] + lost), error
            along = -weight[c, band] * invstd * invstd * gw[c, band] / count
            slope[band, c], base[band, c] = along, -weight[c, band] * invstd * error / count - along * mean[c, band]
    combined(x, g, scale, shift, zero, slope, base, gx)
