"""Follows the winners of max pooling: gradients go back to the samples that won, or these samples to the windows.

``winner`` is uint8, a place in each window, or NO_WINNER, which is none of them and so matches nothing.
"""

import triton.language as tl
from torch import Tensor

from sigconv.geometry import Geometry
from sigconv.kernels.triton.strided import address, strided
from sigconv.kernels.triton.tape import laid_out_empty
from sigconv.kernels.triton.tiles import along_channels, extent, grid, is_large, tile, tiled
from sigconv.kernels.triton.windows import in_three_axes, observers, ravel


def route(winner: Tensor, g: Tensor, geometry: Geometry, base: tuple[Tensor, Tensor] | None = None) -> Tensor:
    """Gradients g and winners (batch, channels, *output size) -> (batch, channels, *size).

    With a base, x (batch, channels, *size) and factors (3 or more, channels), float32, the result is the first factor
    times that, plus the second times x, plus the third. Each sample looks at the windows that see it, so no two
    programs write to the same sample.
    """
    x, factors = base or (None, None)
    size, output_size, frame = in_three_axes(geometry)
    gx = laid_out_empty(g if x is None else x, g.shape[1], geometry.size)
    _route(
        grid(gx),
        strided(winner),
        strided(g),
        None if x is None else strided(x),
        factors,
        strided(gx),
        size,
        output_size,
        extent(gx),
        tuned=is_large(gx),
        frame=frame,
        by_channel=along_channels(gx),
    )
    return gx


@tiled
def _route(
    winners,
    g,
    x,
    factors,
    gx,
    size,
    output_size,
    extent,
    frame: tl.constexpr,
    by_channel: tl.constexpr,
    lanes: tl.constexpr,
    rows: tl.constexpr,
):
    b, c, i, exists = tile(gx, size, by_channel, lanes, rows)
    total = tl.zeros(exists.shape, tl.float32)
    for j in tl.range(frame.observers, loop_unroll_factor=8):
        o, k, there = observers(i, j, output_size, frame)
        winner = tl.load(address(winners, b, c, o), exists & there, other=0).to(tl.int32)
        error = tl.load(address(g, b, c, o), exists & there, other=0.0).to(tl.float32)
        total += tl.where(winner == k, error, 0.0)
    if x is not None:
        known = c < gx.channels
        scale, slope = tl.load(factors + c, known, other=0.0), tl.load(factors + gx.channels + c, known, other=0.0)
        level = tl.load(factors + 2 * gx.channels + c, known, other=0.0)
        value = tl.load(address(x, b, c, ravel(i, size)), exists, other=0.0).to(tl.float32)
        total = scale * total + slope * value + level
    tl.store(address(gx, b, c, ravel(i, size)), total, exists)
