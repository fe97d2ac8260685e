"""Batch normalisation's factors, compiled."""

from __future__ import annotations

import numpy as np
from numba import prange

from .runtime import jit

CHUNKS = 16
BLOCK = 64
"""Rows whose mean is taken first, and then, while they are near, their squared distances from it."""


@jit(reorder=True)
def normalisation(x, weight, bias, eps, factors, moments):
    """factors (scale and shift, channel) and moments (mean and variance, channel) of rows x (row, channel).

    Of each chunk of rows the mean and the sum of squared distances from it, float64, are taken by themselves. Blocks,
    and then chunks, are joined as in Chan, Golub & LeVeque, "Updating formulae and a pairwise algorithm for computing
    sample variances", 1979.
    """
    rows, channels = x.shape
    means, squares = np.empty((CHUNKS, channels)), np.empty((CHUNKS, channels))
    for chunk in prange(CHUNKS):
        begin, end = rows * chunk // CHUNKS, rows * (chunk + 1) // CHUNKS
        mean, square = np.empty(channels, x.dtype), np.empty(channels, x.dtype)
        means[chunk] = 0
        squares[chunk] = 0
        for block in range(begin, end, BLOCK):
            stop = min(block + BLOCK, end)
            mean[:] = 0
            square[:] = 0
            for row in range(block, stop):
                seen = x[row]
                for c in range(channels):
                    mean[c] += seen[c]
            for c in range(channels):
                mean[c] /= stop - block
            for row in range(block, stop):
                seen = x[row]
                for c in range(channels):
                    square[c] += (seen[c] - mean[c]) ** 2
            before, here = block - begin, stop - block
            share = here / (before + here)
            for c in range(channels):
                apart = mean[c] - means[chunk, c]
                means[chunk, c] += apart * share
                squares[chunk, c] += square[c] + apart * apart * before * share
    for c in range(channels):
        mean = square = 0.0
        for chunk in range(CHUNKS):
            count = rows * (chunk + 1) // CHUNKS - rows * chunk // CHUNKS
            mean += means[chunk, c] * count / rows
        for chunk in range(CHUNKS):
            count = rows * (chunk + 1) // CHUNKS - rows * chunk // CHUNKS
            square += squares[chunk, c] + count * (means[chunk, c] - mean) ** 2
        scale = weight[c] / np.sqrt(square / rows + eps)
        moments[0, c], moments[1, c] = mean, square / rows
        factors[0, c], factors[1, c] = scale, bias[c] - scale * mean
