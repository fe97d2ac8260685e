"""Loops over what is normalised or summed up as mean and variance, compiled.

A batch is (signal, band, row, channel), and statistics are of each band and channel, over signals and rows. Sums over
all of them are taken in chunks, by as many threads as there are, and these are added in their order.
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
    """y = scale x + shift."""
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
def gradients(x, g, weight, mean, var, eps, gx, gw, gb):
    """gx like x, and gw and gb, from the errors g; all of each band and channel are (channel, band)."""
    signals, bands, rows, channels = x.shape
    tiles, count = signals * tiles_of(rows), signals * rows
    middle = np.ascontiguousarray(mean.T).astype(x.dtype)
    errors, products = np.zeros((bands * CHUNKS, channels)), np.zeros((bands * CHUNKS, channels))
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
                errors[task, c] += error_sum[c]
                products[task, c] += product_sum[c]
    scale, slope = np.empty((bands, channels), x.dtype), np.empty((bands, channels), x.dtype)
    base = np.empty((bands, channels), x.dtype)
    for band in range(bands):
        for c in range(channels):
            error = product = 0.0
            for task in range(band * CHUNKS, (band + 1) * CHUNKS):
                error += errors[task, c]
                product += products[task, c]
            product += error * (middle[band, c] - mean[c, band])  # what the mean lost when it was rounded
            invstd = 1 / np.sqrt(var[c, band] + eps)
            gw[c, band], gb[c, band] = invstd * product, error
            scale[band, c] = weight[c, band] * invstd
            slope[band, c] = -scale[band, c] * invstd**2 * product / count
            base[band, c] = -scale[band, c] * error / count - slope[band, c] * mean[c, band]
    for task in prange(bands * tiles):
        band = task // tiles
        signal, begin, end = rows_of(task % tiles, rows)
        by, along, on = scale[band], slope[band], base[band]
        for row in range(begin, end):
            seen, error, out = x[signal, band, row], g[signal, band, row], gx[signal, band, row]
            for c in range(channels):
                out[c] = by[c] * error[c] + (along[c] * seen[c] + on[c])
