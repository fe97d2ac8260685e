"""Max pooling, optionally of a ReLU, whose winners are places in the windows, a byte each.

The first of equal values wins, NaN wins over numbers, and padding never wins.
"""

import torch
import triton.language as tl
from torch import Tensor

from sigconv.geometry import Geometry
from sigconv.kernels.problem import NO_WINNER
from sigconv.kernels.triton.strided import address, strided
from sigconv.kernels.triton.tape import laid_out_empty
from sigconv.kernels.triton.tiles import along_channels, extent, grid, is_large, tile, tiled
from sigconv.kernels.triton.windows import in_three_axes, place_in, ravel, samples


def max_pool(x: Tensor, factors: tuple[Tensor, Tensor] | None, geometry: Geometry) -> tuple[Tensor, Tensor]:
    """The maximum of x in each window and its winner (uint8); with factors, that of relu(scale x + shift).

    x (batch, channels, *size), factors two (channels,) -> two (batch, channels, *output size). Where ReLU gave zero the
    winner is NO_WINNER.
    """
    size, output_size, frame = in_three_axes(geometry)
    y = laid_out_empty(x, x.shape[1], geometry.output_size)
    winner = laid_out_empty(x, x.shape[1], geometry.output_size, torch.uint8)
    _max_pool(
        grid(y),
        strided(x),
        factors,
        strided(y),
        strided(winner),
        size,
        output_size,
        extent(y),
        tuned=is_large(y),
        frame=frame,
        no_winner=NO_WINNER,
        rectified=factors is not None,
        by_channel=along_channels(y),
    )
    return y, winner


@tiled
def _max_pool(
    x,
    factors,
    y,
    winners,
    size,
    output_size,
    extent,
    frame: tl.constexpr,
    no_winner: tl.constexpr,
    rectified: tl.constexpr,
    by_channel: tl.constexpr,
    lanes: tl.constexpr,
    rows: tl.constexpr,
):
    b, c, o, exists = tile(y, output_size, by_channel, lanes, rows)
    best = tl.full(exists.shape, float("-inf"), tl.float32)
    winner = tl.full(exists.shape, -1, tl.int32)
    if rectified:
        scale = tl.load(factors[0] + c, c < y.channels, other=0.0).to(tl.float32)
        shift = tl.load(factors[1] + c, c < y.channels, other=0.0).to(tl.float32)
    for k in tl.range(frame.places, loop_unroll_factor=8):
        i, inside = samples(o, place_in(frame, k), size, frame)
        value = tl.load(address(x, b, c, i), exists & inside, other=0.0).to(tl.float32)
        if rectified:
            value = tl.fma(value, scale, shift)
        better = inside & ((winner < 0) | (value > best) | (value != value))
        best = tl.where(better, value, best)
        winner = tl.where(better, k, winner)
    if rectified:
        best = best.to(y.data.dtype.element_ty).to(tl.float32)  # the stored value decides, as it may be rounded to zero
        winner = tl.where(best <= 0, no_winner, winner)
        best = tl.where(best <= 0, 0.0, best)
    tl.store(address(y, b, c, ravel(o, output_size)), best, exists)
    tl.store(address(winners, b, c, ravel(o, output_size)), winner.to(tl.uint8), exists)
