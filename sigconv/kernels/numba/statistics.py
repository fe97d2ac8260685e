"""Mean and variance of each channel, compiled."""

from __future__ import annotations

import numpy as np
from numba import prange

from .runtime import jit

CHUNKS = 16
BLOCK = 64
"""Rows whose mean is taken first, and then, while they are near, their squared distances from it."""


@jit(reorder=True)
def moments(x, counts, means, squares):
    """Of each chunk of the rows x (row, channel): how many, their means and the sums of squared distances from these.

    counts (chunk,), means and squares (chunk, channel) are float64. Blocks are joined as in Chan, Golub & LeVeque,
    "Updating formulae and a pairwise algorithm for computing sample variances", 1979.
    """
    rows, channels = x.shape
    chunks = len(counts)
    for chunk in prange(chunks):
        begin, end = rows * chunk // chunks, rows * (chunk + 1) // chunks
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
        counts[chunk] = end - begin
