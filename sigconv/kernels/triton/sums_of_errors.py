"""The sums over each feature that the gradients of batch normalisation are made of.

In two stages, as all sums here: :mod:`sigconv.kernels.triton.chunks`.
"""

import triton.language as tl
from torch import Tensor

from sigconv.geometry import Geometry
from sigconv.kernels.problem import NO_WINNER
from sigconv.kernels.triton.bands import block_of, feature_of, in_bands, read
from sigconv.kernels.triton.features import (
    JOINED,
    Features,
    by_feature,
    chunked,
    normalisation,
)
from sigconv.kernels.triton.strided import address, strided
from sigconv.kernels.triton.tape import empty
from sigconv.kernels.triton.tuning import fixed
from sigconv.kernels.triton.windows import in_three_axes, place_in, samples, unravel


def error_sums(x: Tensor, g: Tensor, features: Features, rectified: bool) -> Tensor:
    """The sums (chunk, 2, feature) of the output's gradient g, as far as ReLU lets it through if ``rectified``, and of
    this times x - mean."""
    bands = len(features.mean) // x.shape[1]
    parts = in_bands(x, bands)
    found, grid = chunked(parts, x.shape[1], bands, 2)
    errors = in_bands(g, bands).signal
    _error_sums(grid, parts.signal, errors, features, found, parts.units, rectified=rectified, **parts.form)
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
    middle, _, scale, shift = normalisation(features, feature, known)
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
    """The sums (chunk, 2, channel) of the gradients g of a pooled map's windows that have a winner, and of these times
    the winner's distance from the mean (zeros without x)."""
    size, output_size, frame = in_three_axes(geometry)
    parts = in_bands(g, 1, one=False)
    found, grid = chunked(parts, g.shape[1], 1, 2)
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
        **parts.form,
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


def slopes(found: Tensor, features: Features, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """The coefficients of x's gradient, and the gradients of weight and bias, from the chunks' sums of g and of g times
    x - mean, over ``count`` numbers of each feature.

    gx = scale g + slope x + level; these three and the shift of the normalisation are (4, feature), float32.
    """
    weight, number = features.weight, found.shape[2]
    gw, gb = (empty(weight, weight.shape) for _ in range(2))
    factors = empty(found, (4, number))
    _join_errors(by_feature(found), found, features, gw, gb, factors, found.shape[0], number, 1 / count, **JOINED)
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
    mean, invstd, scale, shift = normalisation(features, feature, known)
    by_weight = tl.sum(weighted, 0)[None, :] * invstd
    slope = -scale * invstd * by_weight * share
    tl.store(gw + feature, by_weight, known)
    tl.store(gb + feature, by_bias, known)
    tl.store(factors + feature, scale, known)
    tl.store(factors + number + feature, slope, known)
    tl.store(factors + 2 * number + feature, -scale * by_bias * share - slope * mean, known)
    tl.store(factors + 3 * number + feature, shift, known)
