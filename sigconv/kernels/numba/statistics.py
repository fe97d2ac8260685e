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


@jit(reorder=True)
def scaled(x, scale, shift, y):
    """y = scale x + shift; scale and shift are (band, channel)."""
    signals, bands, rows, channels = x.shape
    tiles = signals * tiles_of(rows)
    for task in prange(bands * tiles):
        band = task // tiles
        signal, begin, end = rows_of(task % tiles, rows)
        by, on = scale[band], shift[band]
        for row in range(begin, end):
            seen, out = x[signal, band, row], y[signal, band, row]
            for c in range(channels):
                out[c] = by[c] * seen[c] + on[c]


@jit(reorder=True)
def error_sums(x, g, middle, errors, products):
    """The sums of g, and of g (x - middle), each (band, channel), float64."""
    signals, bands, rows, channels = x.shape
    tiles = signals * tiles_of(rows)
    of_errors, of_products = np.zeros((bands * CHUNKS, channels)), np.zeros((bands * CHUNKS, channels))
    for task in prange(bands * CHUNKS):
        band, chunk = task // CHUNKS, task % CHUNKS
        near, error_sum, product_sum = middle[band], np.empty(channels, x.dtype), np.empty(channels, x.dtype)
        for tile in range(tiles * chunk // CHUNKS, tiles * (chunk + 1) // CHUNKS):
            signal, begin, end = rows_of(tile, rows)
            error_sum[:] = 0
            product_sum[:] = 0
            for row in range(begin, end):
                seen, error = x[signal, band, row], g[signal, band, row]
                for c in range(channels):
                    error_sum[c] += error[c]
                    product_sum[c] += error[c] * (seen[c] - near[c])
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
def combined(x, g, scale, slope, base, gx):
    """gx = scale g + slope x + base; factors are (band, channel)."""
    signals, bands, rows, channels = x.shape
    tiles = signals * tiles_of(rows)
    for task in prange(bands * tiles):
        band = task // tiles
        signal, begin, end = rows_of(task % tiles, rows)
        by, along, on = scale[band], slope[band], base[band]
        for row in range(begin, end):
            seen, error, out = x[signal, band, row], g[signal, band, row], gx[signal, band, row]
            for c in range(channels):
                out[c] = by[c] * error[c] + (along[c] * seen[c] + on[c])


@jit(parallel=False)
def normalisation(x, weight, bias, eps, scale, shift, mean, var):
    """The scale and shift (band, channel) that normalise x, and mean and variance (channel, band)."""
    bands, channels = scale.shape
    means, variances = np.empty((bands, channels)), np.empty((bands, channels))
    moments(x, means, variances)
    for band in range(bands):
        for c in range(channels):
            factor = weight[c, band] / np.sqrt(variances[band, c] + eps)
            scale[band, c], shift[band, c] = factor, bias[c, band] - factor * means[band, c]
            mean[c, band], var[c, band] = means[band, c], variances[band, c]


@jit(parallel=False)
def normalise(x, weight, bias, eps, y, mean, var):
    """y, x normalised, and mean and variance."""
    shape = (x.shape[1], x.shape[3])
    scale, shift = np.empty(shape, x.dtype), np.empty(shape, x.dtype)
    normalisation(x, weight, bias, eps, scale, shift, mean, var)
    scaled(x, scale, shift, y)


@jit(parallel=False)
def grad_normalise(x, g, weight, mean, var, eps, gx, gw, gb):
    """The gradients of :func:`normalise` from the errors g."""
    signals, bands, rows, channels = x.shape
    shape, count = (bands, channels), signals * rows
    middle, scale = np.empty(shape, x.dtype), np.empty(shape, x.dtype)
    slope, base = np.empty(shape, x.dtype), np.empty(shape, x.dtype)
    errors, products = np.empty(shape), np.empty(shape)
    for band in range(bands):
        for c in range(channels):
            middle[band, c] = mean[c, band]
    error_sums(x, g, middle, errors, products)
    for band in range(bands):
        for c in range(channels):
            invstd, error = 1 / np.sqrt(var[c, band] + eps), errors[band, c]
            lost = error * (middle[band, c] - mean[c, band])  # when the mean was rounded
            gw[c, band], gb[c, band] = invstd * (products[band, c] + lost), error
            scale[band, c] = weight[c, band] * invstd
            slope[band, c] = -scale[band, c] * invstd * gw[c, band] / count
            base[band, c] = -scale[band, c] * error / count - slope[band, c] * mean[c, band]
    combined(x, g, scale, slope, base, gx)
