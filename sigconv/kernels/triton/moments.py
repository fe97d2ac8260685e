"""Mean and variance of each feature.

In two stages, as all sums here: :mod:`sigconv.kernels.triton.chunks`.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from sigconv.kernels.triton.bands import block_of, count_of, feature_of, in_bands, read
from sigconv.kernels.triton.features import (
    JOINED,
    Features,
    by_feature,
    chunked,
    of_feature,
    scale_and_shift,
)
from sigconv.kernels.triton.tape import empty
from sigconv.kernels.triton.tuning import fixed


def moments(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Features, Tensor, Tensor]:
    """Mean and (biased) variance of each feature of x, float64; and the scale and the shift that normalise it, float32.

    weight and bias are (feature,).
    """
    bands = len(weight) // x.shape[1]
    parts = in_bands(x, bands)
    found, grid = chunked(parts, x.shape[1], bands, 4)
    _moments(grid, parts.signal, found, parts.units, **parts.form)
    mean, var = (empty(x, weight.shape, torch.float64) for _ in range(2))
    scale, shift = (empty(x, weight.shape, torch.float32) for _ in range(2))
    features = Features(weight, bias, mean, var, eps)
    _join_moments(by_feature(found), found, features, scale, shift, found.shape[0], len(weight), **JOINED)
    return features, scale, shift


@fixed(warps=4)
def _moments(x, found, units, channels: tl.constexpr, places: tl.constexpr):
    """For a chunk: the mean of its first block, the distance of its own mean from that, the sum of squared deviations
    from its own mean, and its size. The sums are of distances, so that hardly anything cancels."""
    chunk, chunks = tl.program_id(0), tl.num_programs(0)
    first = block_of(x, chunk, channels, places)
    near = (tl.sum(read(x, first), 1) / count_of(x, chunk, places))[:, None]
    once = tl.zeros((channels, places), tl.float32)
    squared = tl.zeros((channels, places), tl.float32)
    number = 0.0
    for unit in range(chunk, units, chunks):
        block = block_of(x, unit, channels, places)
        distance = tl.where(block[3], read(x, block) - near, 0.0)
        once += distance
        squared += distance * distance
        number += count_of(x, unit, places)
    total = tl.sum(once, 1)[:, None]
    known, feature, step = first[1] < x.channels, feature_of(first[1]), x.channels * tl.num_programs(2)
    place = found + chunk * 4 * step + feature
    tl.store(place, near, known)
    tl.store(place + step, total / number, known)
    tl.store(place + 2 * step, tl.sum(squared, 1)[:, None] - total * (total / number), known)
    tl.store(place + 3 * step, tl.zeros_like(total) + number, known)


@fixed(warps=4)
def _join_moments(found, features, scale, shift, chunks, count, feature_block: tl.constexpr, chunk_block: tl.constexpr):
    """By squared deviations from each chunk's mean, and of this from the mean of all: Chan, Golub & LeVeque, 1979."""
    feature = tl.program_id(0) * feature_block + tl.arange(0, feature_block)[None, :]
    number = tl.zeros((chunk_block, feature_block), tl.float64)
    total = tl.zeros((chunk_block, feature_block), tl.float64)
    for start in range(0, chunks, chunk_block):
        numbers, mean_of_chunk, _ = _of_chunk(found, start + tl.arange(0, chunk_block)[:, None], chunks, feature, count)
        number += numbers
        total += numbers * mean_of_chunk
    all = tl.maximum(tl.sum(number, 0)[None, :], 1.0)  # none where there is no feature
    mean = tl.sum(total, 0)[None, :] / all
    squared = tl.zeros((chunk_block, feature_block), tl.float64)
    for start in range(0, chunks, chunk_block):
        chunk = start + tl.arange(0, chunk_block)[:, None]
        numbers, mean_of_chunk, squared_of_chunk = _of_chunk(found, chunk, chunks, feature, count)
        squared += squared_of_chunk + numbers * (mean_of_chunk - mean) * (mean_of_chunk - mean)
    var, known = tl.sum(squared, 0)[None, :] / all, feature < count
    tl.store(features.mean + feature, mean, known)
    tl.store(features.var + feature, var, known)
    weight, bias = of_feature(features.weight, feature, known), of_feature(features.bias, feature, known)
    by, on, _ = scale_and_shift(weight, bias, mean.to(tl.float32), var.to(tl.float32), features.eps)
    tl.store(scale + feature, by, known)
    tl.store(shift + feature, on, known)


@triton.jit
def _of_chunk(found, chunk, chunks, feature, features):
    """A chunk's size, mean, and sum of squared deviations from it, as found by :func:`_moments`."""
    place, known = found + chunk * 4 * features + feature, (chunk < chunks) & (feature < features)
    near = tl.load(place, known, other=0.0).to(tl.float64)
    off = tl.load(place + features, known, other=0.0).to(tl.float64)
    squared = tl.load(place + 2 * features, known, other=0.0).to(tl.float64)
    return tl.load(place + 3 * features, known, other=0.0).to(tl.float64), near + off, squared
