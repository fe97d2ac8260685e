"""Loops over what is normalised or summed up as mean and variance, compiled.

A batch is (signal, band, row, channel), and statistics are of each band and channel, over signals and rows. Sums over
all of them are taken in chunks, by as many threads as there are, and these are added in their order. Factors in loops
are (band, channel), what layers keep is (channel, band).
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from .runtime import jit

CHUNKS = 16
"""Parts of a band whose sums are taken apart."""

TILE = 64
"""Rows of a signal that are gone through again while they are near."""


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
    signals, bands, rows, channels = x.shape
    tiles, count = signals * tiles_of(rows), signals * rows
    counts = np.zeros(bands * CHUNKS)
    means, squares = np.zeros((bands * CHUNKS, channels)), np.zeros((bands * CHUNKS, channels))
    for task in prange(bands * CHUNKS):
        band, chunk = task // CHUNKS, task % CHUNKS
        middle, square = np.empty(channels, x.dtype), np.empty(channels, x.dtype)
        for tile in range(tiles * chunk // CHUNKS, tiles * (chunk + 1) // CHUNKS):
            signal, begin, end = rows_of(tile, rows)
            middle[:] = 0
            square[:] = 0
            for row in range(begin, end):
                seen = x[signal, band, row]
                for c in range(channels):
                    middle[c] += seen[c]
            for c in range(channels):
                middle[c] /= end - begin
            for row in range(begin, end):
                seen = x[signal, band, row]
                for c in range(channels):
                    square[c] += (seen[c] - middle[c]) ** 2
            before, here = counts[task], end - begin
            share = here / (before + here)
            for c in range(channels):
                apart = middle[c] - means[task, c]
                means[task, c] += apart * share
                squares[task, c] += square[c] + apart * apart * before * share
            counts[task] += here
    mean[:], var[:] = 0, 0
    for band in range(bands):
        for task in range(band * CHUNKS, (band + 1) * CHUNKS):
            for c in range(channels):
                mean[band, c] += means[task, c] * counts[task] / count
        for task in range(band * CHUNKS, (band + 1) * CHUNKS):
            for c in range(channels):
                apart = means[task, c] - mean[band, c]
                var[band, c] += (squares[task, c] + counts[task] * apart * apart) / count


@njit(inline="always")
def at_least(value, floor):
    return floor if value <= floor else value  # NaN stays


@jit(reorder=True)
def scaled(x, scale, shift, floor, y):
    """y = scale x + shift, or the floor if that is higher; scale and shift are (band, channel)."""
    signals, bands, rows, channels = x.shape
    tiles = signals * tiles_of(rows)
    for task in prange(bands * tiles):
        band = task // tiles
        signal, begin, end = rows_of(task % tiles, rows)
        by, on = scale[band], shift[band]
        for row in range(begin, end):
            seen, out = x[signal, band, row], y[signal, band, row]
            for c in range(channels):
                out[c] = at_least(by[c] * seen[c] + on[c], floor)


@njit(inline="always")
def passed(error, value, floor):
    return error * 0 if value <= floor else error


@jit(reorder=True)
def error_sums(x, g, scale, shift, floor, middle, errors, products):
    """The sums of g where scale x + shift is above the floor, and of g (x - middle), each (band, channel), float64."""
    signals, bands, rows, channels = x.shape
    tiles = signals * tiles_of(rows)
    of_errors, of_products = np.zeros((bands * CHUNKS, channels)), np.zeros((bands * CHUNKS, channels))
    for task in prange(bands * CHUNKS):
        band, chunk = task // CHUNKS, task % CHUNKS
        by, on, near = scale[band], shift[band], middle[band]
        error_sum, product_sum = np.empty(channels, x.dtype), np.empty(channels, x.dtype)
        for tile in range(tiles * chunk // CHUNKS, tiles * (chunk + 1) // CHUNKS):
            signal, begin, end = rows_of(tile, rows)
            error_sum[:] = 0
            product_sum[:] = 0
            for row in range(begin, end):
                seen, error = x[signal, band, row], g[signal, band, row]
                for c in range(channels):
                    alive = passed(error[c], by[c] * seen[c] + on[c], floor)
                    error_sum[c] += alive
                    product_sum[c] += alive * (seen[c] - near[c])
            for c in range(channels):
                of_errors[task, c] += error_sum[c]
                of_products[task, c] += product_sum[c]
    errors[:], products[:] = 0, 0
    for band in range(bands):
        for task in range(band * CHUNKS, (band + 1) * CHUNKS):
            for c in range(channels):
                errors[band, c] += of_errors[task, c]
                products[band, c] += of_products[task, c]


@jit(reorder=True)
def combined(x, g, scale, shift, floor, slope, base, gx):
    """gx = scale g + slope x + base, with g where scale x + shift is above the floor; factors are (band, channel)."""
    signals, bands, rows, channels = x.shape
    tiles = signals * tiles_of(rows)
    for task in prange(bands * tiles):
        band = task // tiles
        signal, begin, end = rows_of(task % tiles, rows)
        by, on, along, rest = scale[band], shift[band], slope[band], base[band]
        for row in range(begin, end):
            seen, error, out = x[signal, band, row], g[signal, band, row], gx[signal, band, row]
            for c in range(channels):
                alive = passed(error[c], by[c] * seen[c] + on[c], floor)
                out[c] = by[c] * alive + (along[c] * seen[c] + rest[c])


@njit(inline="always")
def set_factors(weight, bias, mean, var, eps, scale, shift):
    """The scale and shift (band, channel) that normalise what has this mean and variance."""
    for band in range(scale.shape[0]):
        for c in range(scale.shape[1]):
            factor = weight[c, band] / np.sqrt(var[c, band] + eps)
            scale[band, c], shift[band, c] = factor, bias[c, band] - factor * mean[c, band]


@jit(parallel=False)
def normalise(x, weight, bias, eps, floor, y, mean, var):
    """y, x normalised, or the floor if that is higher, and mean and variance (channel, band)."""
    shape = (x.shape[1], x.shape[3])
    scale, shift = np.empty(shape, x.dtype), np.empty(shape, x.dtype)
    means, variances = np.empty(shape), np.empty(shape)
    moments(x, means, variances)
    mean[:], var[:] = means.T, variances.T
    set_factors(weight, bias, mean, var, eps, scale, shift)
    scaled(x, scale, shift, floor, y)


@jit(parallel=False)
def grad_normalise(x, g, weight, bias, mean, var, eps, floor, gx, gw, gb):
    """The gradients of :func:`normalise` from the errors g."""
    signals, bands, rows, channels = x.shape
    shape, count = (bands, channels), signals * rows
    scale, shift = np.empty(shape, x.dtype), np.empty(shape, x.dtype)
    slope, base = np.empty(shape, x.dtype), np.empty(shape, x.dtype)
    middle, errors, products = np.empty(shape, x.dtype), np.empty(shape), np.empty(shape)
    set_factors(weight, bias, mean, var, eps, scale, shift)
    middle[:] = mean.T
    error_sums(x, g, scale, shift, floor, middle, errors, products)
    for band in range(bands):
        for c in range(channels):
            invstd, error = 1 / np.sqrt(var[c, band] + eps), errors[band, c]
            lost = error * (middle[band, c] - mean[c, band])  # when the mean was rounded
            gw[c, band], gb[c, band] = invstd * (products[band, c] + lost), error
            along = -weight[c, band] * invstd * invstd * gw[c, band] / count
            slope[band, c], base[band, c] = along, -weight[c, band] * invstd * error / count - along * mean[c, band]
    combined(x, g, scale, shift, floor, slope, base, gx)
