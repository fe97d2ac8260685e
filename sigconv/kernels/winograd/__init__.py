"""Convolution with fewer products: minimal filtering, of any number of axes (see :mod:`.matrices`).

Outputs are computed a tile at a time, from values at a few points: four outputs of a window of three places take 6
products in place of 12, 4 x 4 of a 3 x 3 window 36 in place of 144. At each point all tiles are one matrix product over
the channels. The weights' gradient is the same thing read in another direction.

Values at points partly cancel in what is made of them, so rounding is 1.5 to 4 times a sum's, of the weights' gradient
2 to 10 times. A sample that is infinite or no number reaches its whole tile, and one that does not count, rounding.

Shapes are those of :mod:`sigconv.kernels.reference`.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from ...layout import like
from ...window import Geometry
from ..flipped import turned
from ..numba import blocks_of, runtime
from ..numba.windows import LANES, empty_rows, rows
from ..numba.workspace import workspace
from ..problem import CONVOLUTION, Problem
from .tiling import is_tiled, tiles, tiling

DTYPES = (torch.float32,)
EXACT = False
"""Sums of whole numbers are rounded, too."""

BLOCK = 1 << 18
"""Bytes of a block of tiles, at all points: what a core's second cache holds."""

SHARED_BLOCK = 1 << 22
"""The same where all cores go through a block."""

LEAST = 6
"""Tiles of a block."""


def supports(problem: Problem) -> bool:
    if problem.operation not in CONVOLUTION or problem.device != "cpu" or problem.dtype not in DTYPES:
        return False
    few = min(problem.in_channels, problem.out_channels) < LANES or problem.outputs == 0
    turns = problem.operation != "grad_input" or problem.geometry.has_flipped
    dense = problem.plain and problem.geometry.groups == 1
    return dense and turns and not few and is_tiled(problem.geometry) and runtime.is_available()


def gain(problem: Problem) -> float:
    """How many times fewer products a convolution takes, transforms included; 1 where it cannot be cut into tiles."""
    channels = problem.in_channels, problem.out_channels
    if not is_tiled(problem.geometry) or problem.outputs <= 0:
        return 1.0
    return problem.products / tiling(problem.geometry, problem.batch, *channels).products(problem.batch, *channels)


def forward(x: Tensor, w: Tensor, bias: Tensor | None, geometry: Geometry) -> Tensor:
    """y = O ((W w) * (I x)), each along all axes, at each tile."""
    from . import loops

    runtime.use_torchs_threads()
    (batch, channels), maps = x.shape[:2], len(w)
    found, wide, parts = tiling(geometry, batch, channels, maps), LANES * blocks_of(maps), torch.get_num_threads()
    y, outputs = empty_rows(batch, maps, geometry.output_size, x.dtype)
    shift = x.new_zeros(maps) if bias is None else bias.detach()
    points = math.prod(found.points)
    block = _block(points * (channels + wide) * x.itemsize, BLOCK)
    room = workspace(
        outputs.dtype,
        (points, channels, wide),
        (parts, block, points * channels + LANES),  # no power of two, for which a cache has few places
        (parts, block, points * wide + LANES),
        (parts, 2, points * max(channels, wide)),
        (math.prod(geometry.window.kernel), channels, wide),
    )
    weights = room.pop()
    weights[..., maps:] = 0
    weights[..., :maps] = w.detach().flatten(2).permute(2, 1, 0).numpy()
    loops.forward(rows(x), weights, shift.numpy(), outputs, tiles(found), *room)
    return like(y, x)


def grad_input(w: Tensor, g: Tensor, geometry: Geometry) -> Tensor:
    """The convolution of the errors with the flipped kernel."""
    return forward(g, turned(w).transpose(0, 1), None, geometry.flipped)


def grad_weight(x: Tensor, g: Tensor, geometry: Geometry) -> Tensor:
    """gw = W' (sum of (I x) * (O' g) over all tiles): the derivative of y."""
    from . import loops

    runtime.use_torchs_threads()
    (batch, channels), maps = x.shape[:2], g.shape[1]
    found, wide, parts = tiling(geometry, batch, channels, maps), LANES * blocks_of(maps), torch.get_num_threads()
    points, seen = math.prod(found.points), rows(x)
    block = min(_block(points * (channels + maps) * x.itemsize, SHARED_BLOCK), batch * found.tiles)
    room = workspace(
        seen.dtype,
        (points, channels, wide),
        (points, block * channels + LANES),
        (points, block * maps + LANES),
        (parts, 2, points * max(channels, wide)),
    )
    gw = np.empty((*geometry.window.kernel, channels, wide), seen.dtype)
    loops.grad_weight(seen, rows(g), gw.reshape(-1, channels, wide), tiles(found), block, *room)
    return like(torch.from_numpy(gw)[..., :maps].permute(-1, -2, *range(geometry.window.ndim)), x)


def _block(bytes_of_tile: int, most: int) -> int:
    """How many tiles have at most so many bytes at all points: some, in any case."""
    return max(LEAST, most // bytes_of_tile)
