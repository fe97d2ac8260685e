"""Mean and variance of each feature, and the sums over it that batch normalisation's gradients are made of.

In two stages, as all sums here: :mod:`sigconv.kernels.triton.chunks`.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

from sigconv.geometry import Geometry
from sigconv.kernels.problem import NO_WINNER
from sigconv.kernels.triton.bands import Bands, block_of, count_of, feature_of, in_bands, read
from sigconv.kernels.triton.strided import address, strided
from sigconv.kernels.triton.tape import empty
from sigconv.kernels.triton.tuning import Grid, fixed
from sigconv.kernels.triton.windows import in_three_axes, place_in, samples, unravel


class Features(NamedTuple):
    """What features are normalised by: y = weight (x - mean) / deviation + bias."""

    weight: Tensor
    bias: Tensor | None
    mean: Tensor
    var: Tensor
    eps: float


@triton.jit
def scale_and_shift(weight, bias, mean, var, eps):
    """y = scale x + shift, float32: the same bits wherever it is computed."""
    invstd = tl.div_rn(1.0, tl.sqrt_rn(var + eps))
    return invstd * weight, tl.fma(-invstd * weight, mean, bias), invstd


@triton.jit
def _of_feature(values, feature, known):
    return tl.load(values + feature, known, other=0.0).to(tl.float32)


FEATURES, CHUNKS = 4, 256
"""Of a block, where what chunks gave is joined."""


def moments(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Features, Tensor, Tensor]:
    """Mean and (biased) variance of each feature of x, float64; and the scale and the shift that normalise it, float32.

    weight and bias are (feature,).
    """
    bands = len(weight) // x.shape[1]
    parts = in_bands(x, bands)
    found, grid = _chunked(parts, x.shape[1], bands, 4)
    _moments(grid, parts.signal, found, parts.units, channels=parts.channel_block, places=parts.place_block)
    mean, var = (empty(x, weight.shape, torch.float64) for _ in range(2))
    scale, shift = (empty(x, weight.shape, torch.float32) for _ in range(2))
    features, forms = Features(weight, bias, mean, var, eps), {"feature_block": FEATURES, "chunk_block": CHUNKS}
    _join_moments(_by_feature(found), found, features, scale, shift, found.shape[0], len(weight), **forms)
    return features, scale, shift


def slopes(found: Tensor, features: Features, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """What x's gradient is made of, and the gradients by weight and bias, by the sums of chunks of errors and of these
    times x - mean, over ``count`` numbers of each feature.

    gx = scale g + slope x + level; the three, and the shift of what was normalised, are (4, feature), float32.
    """
    weight, number = features.weight, found.shape[2]
    gw, gb = (empty(weight, weight.shape) for _ in range(2))
    factors = empty(found, (4, number))
    forms = {"feature_block": FEATURES, "chunk_block": CHUNKS}
    _join_errors(_by_feature(found), found, features, gw, gb, factors, found.shape[0], number, 1 / count, **forms)
    return factors, gw, gb


@fixed(warps=4)
def _join_errors(
    found,
    features,
    gw,
    gb,
    factors,
    chunks,
    number,
    share,
    feature_block: tl.constexpr,
    chunk_block: tl.constexpr,
):
    feature = tl.program_id(0) * feature_block + tl.arange(0, feature_block)[None, :]
    plain = tl.zeros((chunk_block, feature_block), tl.float32)
    weighted = tl.zeros((chunk_block, feature_block), tl.float32)
    for start in range(0, chunks, chunk_block):
        chunk = start + tl.arange(0, chunk_block)[:, None]
        place, known = found + chunk * 2 * number + feature, (chunk < chunks) & (feature < number)
        plain += tl.load(place, known, other=0.0)
        weighted += tl.load(place + number, known, other=0.0)
    known = feature < number
    by_bias = tl.sum(plain, 0)[None, :]
    weight, mean = _of_feature(features.weight, feature, known), _of_feature(features.mean, feature, known)
    bias = 0.0 if features.bias is None else _of_feature(features.bias, feature, known)
    scale, shift, invstd = scale_and_shift(weight, bias, mean, _of_feature(features.var, feature, known), features.eps)
    by_weight = tl.sum(weighted, 0)[None, :] * invstd
    slope = -scale * invstd * by_weight * share
    tl.store(gw + feature, by_weight, known)
    tl.store(gb + feature, by_bias, known)
    tl.store(factors + feature, scale, known)
    tl.store(factors + number + feature, slope, known)
    tl.store(factors + 2 * number + feature, -scale * by_bias * share - slope * mean, known)
    tl.store(factors + 3 * number + feature, shift, known)


def _chunked(parts: Bands, channels: int, bands: int, values: int) -> tuple[Tensor, Grid]:
    """Room for so many sums of each feature in each chunk, (chunk, value, feature), and the grid that fills it."""
    grid = parts.in_chunks(bands)
    return empty(parts.signal.data, (grid[0], values, channels * bands), torch.float32), grid


def _by_feature(found: Tensor) -> Grid:
    return triton.cdiv(found.shape[2], FEATURES), 1, 1


@fixed(warps=4)
def _moments(x, found, units, channels: tl.constexpr, places: tl.constexpr):
    """Of a chunk: the first block's mean, that of all as a distance from there, the sum of squared distances from the
    latter, and how many numbers there are. Sums are of distances, so that hardly anything cancels."""
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
    """Squared distances from the mean of all are those from a chunk's own, and that one's: Chan, Golub & LeVeque, 1979."""
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
    weight, bias = _of_feature(features.weight, feature, known), _of_feature(features.bias, feature, known)
    by, on, _ = scale_and_shift(weight, bias, mean.to(tl.float32), var.to(tl.float32), features.eps)
    tl.store(scale + feature, by, known)
    tl.store(shift + feature, on, known)


@triton.jit
def _of_chunk(found, chunk, chunks, feature, features):
    """How many numbers, their mean, and the sum of squared distances from it: what :func:`_moments` has found."""
    place, known = found + chunk * 4 * features + feature, (chunk < chunks) & (feature < features)
    near = tl.load(place, known, other=0.0).to(tl.float64)
    off = tl.load(place + features, known, other=0.0).to(tl.float64)
    squared = tl.load(place + 2 * features, known, other=0.0).to(tl.float64)
    return tl.load(place + 3 * features, known, other=0.0).to(tl.float64), near + off, squared


def error_sums(x: Tensor, g: Tensor, features: Features, rectified: bool) -> Tensor:
    """(chunk, 2, feature): of the errors g of what is normalised, or of ReLU of that, those that get through; and these
    times x - mean."""
    bands = len(features.mean) // x.shape[1]
    parts = in_bands(x, bands)
    found, grid = _chunked(parts, x.shape[1], bands, 2)
    errors = in_bands(g, bands).signal
    forms = {"channels": parts.channel_block, "places": parts.place_block}
    _error_sums(grid, parts.signal, errors, features, found, parts.units, rectified=rectified, **forms)
    return found


@fixed(warps=4)
def _error_sums(
    x,
    g,
    features,
    found,
    units,
    rectified: tl.constexpr,
    channels: tl.constexpr,
    places: tl.constexpr,
):
    chunk, chunks = tl.program_id(0), tl.num_programs(0)
    first = block_of(x, chunk, channels, places)
    known, feature, step = first[1] < x.channels, feature_of(first[1]), x.channels * tl.num_programs(2)
    weight, bias = _of_feature(features.weight, feature, known), _of_feature(features.bias, feature, known)
    middle, var = _of_feature(features.mean, feature, known), _of_feature(features.var, feature, known)
    scale, shift, _ = scale_and_shift(weight, bias, middle, var, features.eps)
    plain = tl.zeros((channels, places), tl.float32)
    weighted = tl.zeros((channels, places), tl.float32)
    for unit in range(chunk, units, chunks):
        block = block_of(x, unit, channels, places)
        value, error = read(x, block), read(g, block)
        if rectified:
            error = tl.where(tl.fma(value, scale, shift) > 0, error, 0.0)
        plain += error
        weighted += error * tl.where(block[3], value - middle, 0.0)
    place = found + chunk * 2 * step + feature
    tl.store(place, tl.sum(plain, 1)[:, None], known)
    tl.store(place + step, tl.sum(weighted, 1)[:, None], known)


def pooled_error_sums(x: Tensor | None, winner: Tensor, g: Tensor, mean: Tensor | None, geometry: Geometry) -> Tensor:
    """(chunk, 2, channel): of the errors g of a pooled map whose windows have a winner, and of these times the winner's
    distance from the mean (zeros where there is no x)."""
    size, output_size, frame = in_three_axes(geometry)
    parts = in_bands(g, 1, one=False)
    found, grid = _chunked(parts, g.shape[1], 1, 2)
    _pooled_error_sums(
        grid,
        None if x is None else strided(x),
        parts.signal,
        strided(winner),
        mean,
        found,
        size,
        output_size,
        parts.units,
        frame=frame,
        no_winner=NO_WINNER,
        channels=parts.channel_block,
        places=parts.place_block,
    )
    return found


@fixed(warps=4)
def _pooled_error_sums(
    x,
    g,
    winners,
    mean,
    found,
    size,
    output_size,
    units,
    frame: tl.constexpr,
    no_winner: tl.constexpr,
    channels: tl.constexpr,
    places: tl.constexpr,
):
    chunk, chunks = tl.program_id(0), tl.num_programs(0)
    first = block_of(g, chunk, channels, places)
    known, channel = first[1] < g.channels, first[1]
    if x is not None:
        middle = tl.load(mean + channel, known, other=0.0).to(tl.float32)
    plain = tl.zeros((channels, places), tl.float32)
    weighted = tl.zeros((channels, places), tl.float32)
    for unit in range(chunk, units, chunks):
        b, c, p, exists = block_of(g, unit, channels, places)
        winner = tl.load(address(winners, b, c, p), exists, other=no_winner).to(tl.int32)
        alive = exists & (winner != no_winner)
        error = tl.load(address(g, b, c, p), alive, other=0.0).to(tl.float32)
        plain += error
        if x is not None:
            i, inside = samples(unravel(p.to(tl.int32), output_size), place_in(frame, winner), size, frame)
            value = tl.load(address(x, b, c, i), alive & inside, other=0.0).to(tl.float32)
            weighted += error * (value - middle)
    place = found + chunk * 2 * g.channels + channel
    tl.store(place, tl.sum(plain, 1)[:, None], known)
    tl.store(place + g.channels, tl.sum(weighted, 1)[:, None], known)
