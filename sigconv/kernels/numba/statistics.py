"""Compiled loops that normalise signals and compute their means and variances.

A batch is (signal, band, row, lane), and each band and channel has statistics over signals and rows. A row is one
place, or several side by side: then each channel has that many lanes, since loops along few would be inefficient. Sums
over all rows are taken in chunks, by any number of threads, and the chunks are added in order. Factors in loops are
(band, lane), the parameters and statistics of layers (channel, band).

The ``floor`` is zero with ReLU, minus infinity without.
"""

import numpy as np

from sigconv.kernels.compiled.parallel import in_parallel
from sigconv.kernels.compiled.runtime import contracted, inlined, jit
from sigconv.kernels.compiled.windows import CHUNKS

TILE = 64
"""Rows of a signal that are read again while they are still in cache."""


@inlined
def tiles_of(rows):
    return (rows + TILE - 1) // TILE


@inlined
def rows_of(tile, rows):
    """The signal that a band's tile belongs to, and its rows there: the first, and one past the last."""
    signal, first = tile // tiles_of(rows), tile % tiles_of(rows) * TILE
    return signal, first, min(first + TILE, rows)


@jit
def moments(x, mean, var):
    """mean and (biased) variance of x, each (band, channel), float64.

    For each tile the mean's distance from the first row is taken, so that a large mean costs no digits, and then the
    sum of squared deviations from the mean. Tiles, and then chunks, are merged in float64 as in Chan, Golub & LeVeque,
    "Updating formulae and a pairwise algorithm for computing sample variances", 1979.
    """
    (bands, lanes), channels = x.shape[1::2], mean.shape[1]
    count = x.size // (bands * channels)
    counts = np.zeros(bands * CHUNKS)
    means, squares = np.zeros((bands * CHUNKS, lanes)), np.zeros((bands * CHUNKS, lanes))
    in_parallel(moments_of_chunks, bands * CHUNKS, (x, counts, means, squares))
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


@contracted
def moments_of_chunks(tasks, x, counts, means, squares):
    """Each chunk's number of rows, its means, and the sums of squared deviations from them."""
    signals, _, rows, lanes = x.shape
    tiles = signals * tiles_of(rows)
    here_mean, middle, square = np.empty(lanes), np.empty(lanes, x.dtype), np.empty(lanes, x.dtype)
    for task in tasks:
        band, chunk = task // CHUNKS, task % CHUNKS
        for tile in range(tiles * chunk // CHUNKS, tiles * (chunk + 1) // CHUNKS):
            signal, begin, end = rows_of(tile, rows)
            near, here = x[signal, band, begin], end - begin
            middle[:] = 0
            square[:] = 0
            for row in range(begin + 1, end):
                seen = x[signal, band, row]
                for lane in range(lanes):
                    middle[lane] += seen[lane] - near[lane]
            for lane in range(lanes):
                here_mean[lane] = near[lane] + np.float64(middle[lane]) / here
                middle[lane] = here_mean[lane]
            for row in range(begin, end):
                seen = x[signal, band, row]
                for lane in range(lanes):
                    square[lane] += (seen[lane] - middle[lane]) ** 2
            before = counts[task]
            share = here / (before + here)
            for lane in range(lanes):
                apart = here_mean[lane] - means[task, lane]
                means[task, lane] += apart * share
                squares[task, lane] += square[lane] + apart * apart * before * share
            counts[task] += here


@jit
def scaled(x, scale, shift, floor, y):
    """y = scale x + shift, or the floor where that is higher."""
    signals, bands, rows, _ = x.shape
    in_parallel(scaled_tiles, bands * signals * tiles_of(rows), (x, scale, shift, floor, y))


@contracted
def scaled_tiles(tasks, x, scale, shift, floor, y):
    signals, _, rows, lanes = x.shape
    tiles = signals * tiles_of(rows)
    for task in tasks:
        band = task // tiles
        signal, begin, end = rows_of(task % tiles, rows)
        by, on = scale[band], shift[band]
        for row in range(begin, end):
            seen, out = x[signal, band, row], y[signal, band, row]
            for lane in range(lanes):
                value = by[lane] * seen[lane] + on[lane]
                out[lane] = floor if value <= floor else value  # NaN stays


@inlined
def passed(error, value, floor, zero):
    return zero if value <= floor else error


@jit
def error_sums(x, g, scale, shift, floor, middle, errors, products):
    """The sums of g where scale x + shift is above the floor, and of g (x - middle), each (band, channel), float64."""
    (bands, lanes), channels = x.shape[1::2], errors.shape[1]
    of_errors, of_products = np.zeros((bands * CHUNKS, lanes)), np.zeros((bands * CHUNKS, lanes))
    in_parallel(error_chunks, bands * CHUNKS, (x, g, scale, shift, floor, middle, of_errors, of_products))
    errors[:], products[:] = 0, 0
    for band in range(bands):
        for task in range(band * CHUNKS, (band + 1) * CHUNKS):
            for first in range(0, lanes, channels):
                for c in range(channels):
                    errors[band, c] += of_errors[task, first + c]
                    products[band, c] += of_products[task, first + c]


@contracted
def error_chunks(tasks, x, g, scale, shift, floor, middle, of_errors, of_products):
    signals, _, rows, lanes = x.shape
    tiles, zero = signals * tiles_of(rows), x.dtype.type(0)
    error_sum, product_sum = np.empty(lanes, x.dtype), np.empty(lanes, x.dtype)
    for task in tasks:
        band, chunk = task // CHUNKS, task % CHUNKS
        by, on, near = scale[band], shift[band], middle[band]
        for tile in range(tiles * chunk // CHUNKS, tiles * (chunk + 1) // CHUNKS):
            signal, begin, end = rows_of(tile, rows)
            error_sum[:] = 0
            product_sum[:] = 0
            for row in range(begin, end):
                seen, error = x[signal, band, row], g[signal, band, row]
                for lane in range(lanes):
                    alive = passed(error[lane], by[lane] * seen[lane] + on[lane], floor, zero)
                    error_sum[lane] += alive
                    product_sum[lane] += alive * (seen[lane] - near[lane])
            for lane in range(lanes):
                of_errors[task, lane] += error_sum[lane]
                of_products[task, lane] += product_sum[lane]


@jit
def combined(x, g, scale, shift, floor, slope, base, gx):
    """gx = scale g + slope x + base, where g counts only if scale x + shift is above the floor."""
    signals, bands, rows, _ = x.shape
    in_parallel(combined_tiles, bands * signals * tiles_of(rows), (x, g, scale, shift, floor, slope, base, gx))


@contracted
def combined_tiles(tasks, x, g, scale, shift, floor, slope, base, gx):
    signals, _, rows, lanes = x.shape
    tiles, zero = signals * tiles_of(rows), x.dtype.type(0)
    for task in tasks:
        band = task // tiles
        signal, begin, end = rows_of(task % tiles, rows)
        by, on, along, rest = scale[band], shift[band], slope[band], base[band]
        for row in range(begin, end):
            seen, error, out = x[signal, band, row], g[signal, band, row], gx[signal, band, row]
            for lane in range(lanes):
                alive = passed(error[lane], by[lane] * seen[lane] + on[lane], floor, zero)
                out[lane] = by[lane] * alive + (along[lane] * seen[lane] + rest[lane])


@inlined
def scale_of(weight, var, eps, c, band):
    return weight[c, band] / np.sqrt(var[c, band] + eps)


@inlined
def set_factors(weight, bias, mean, var, eps, scale, shift):
    """Set the scale and shift that normalise a signal of this mean and variance."""
    for band in range(scale.shape[0]):
        for lane in range(scale.shape[1]):
            c = lane % len(weight)
            factor = scale_of(weight, var, eps, c, band)
            scale[band, lane], shift[band, lane] = factor, bias[c, band] - factor * mean[c, band]


@inlined
def set_gradients(weight, mean, var, eps, count, errors, products, gw, gb, slope, base):
    """Set the gradients of weight and bias, and the slope and base of that of x, which is scale g + slope x + base.

    From the sums of g and of g times (x - mean), each (band, channel), over ``count`` numbers.
    """
    for band in range(slope.shape[0]):
        for lane in range(slope.shape[1]):
            c = lane % len(weight)
            deviation, error = np.sqrt(var[c, band] + eps), errors[band, c]
            by = scale_of(weight, var, eps, c, band)
            gw[c, band], gb[c, band] = products[band, c] / deviation, error
            along = -by * products[band, c] / (deviation * deviation * count)
            slope[band, lane], base[band, lane] = along, -by * error / count - along * mean[c, band]


@jit
def normalise(x, weight, bias, eps, floor, y, mean, var):
    """Set y to x normalised, or the floor where that is higher, and set mean and variance (channel, band)."""
    lanes, channels = (x.shape[1], x.shape[3]), (x.shape[1], len(weight))
    scale, shift = np.empty(lanes, x.dtype), np.empty(lanes, x.dtype)
    means, variances = np.empty(channels), np.empty(channels)
    moments(x, means, variances)
    for band in range(x.shape[1]):
        for c in range(len(weight)):
            mean[c, band], var[c, band] = means[band, c], variances[band, c]
    set_factors(weight, bias, mean, var, eps, scale, shift)
    scaled(x, scale, shift, floor, y)


@jit
def grad_normalise(x, g, weight, bias, mean, var, eps, floor, gx, gw, gb):
    """The gradients of :func:`normalise` from that of its output, g."""
    signals, bands, rows, lanes = x.shape
    shape, channels = (bands, lanes), len(weight)
    count = signals * rows * lanes // channels
    scale, shift = np.empty(shape, x.dtype), np.empty(shape, x.dtype)
    middle, slope, base = np.empty(shape, x.dtype), np.empty(shape, x.dtype), np.empty(shape, x.dtype)
    errors, products = np.empty((bands, channels)), np.empty((bands, channels))
    set_factors(weight, bias, mean, var, eps, scale, shift)
    for band in range(bands):
        for lane in range(lanes):
            middle[band, lane] = mean[lane % channels, band]
    error_sums(x, g, scale, shift, floor, middle, errors, products)
    for band in range(bands):
        for c in range(channels):
            products[band, c] += errors[band, c] * (middle[band, c] - mean[c, band])  # lost when the mean was rounded
    set_gradients(weight, mean, var, eps, count, errors, products, gw, gb, slope, base)
    combined(x, g, scale, shift, floor, slope, base, gx)
