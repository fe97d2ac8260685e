"""Convolution with fewer products: minimal filtering, along any number of axes (see :mod:`.matrices`).

Outputs are computed a tile at a time, from values at a few points: with a window of three places, four outputs take 6
products instead of 12; with a 3 x 3 window, 4 x 4 outputs take 36 instead of 144. At each point one matrix product over
the channels serves all tiles. The weight gradient is the same computation in another direction.

Values at points partly cancel when they are combined, so rounding errors are 1.5 to 4 times those of a plain sum, and 2
to 10 times in the weight gradient. Infinity or NaN spreads over its tile, and samples outside a window add rounding
error.

Shapes are those of :mod:`sigconv.kernels.reference`.
"""

import math

import numpy as np
import torch
from torch import Tensor

from sigconv.geometry import Geometry
from sigconv.kernels.compiled import runtime
from sigconv.kernels.compiled.windows import LANES, array, blocks_of, empty_rows, rows
from sigconv.kernels.compiled.workspace import workspace
from sigconv.kernels.flipped import turned
from sigconv.kernels.problem import CONVOLUTION, Problem
from sigconv.kernels.winograd.sharing import largest, loss, share_out
from sigconv.kernels.winograd.tiling import is_tiled, tiles, tiling
from sigconv.layout import like

DTYPES = (torch.float32,)
EXACT = False
"""Even sums of whole numbers are rounded."""

BLOCK = 1 << 19
"""Bytes of a block of tiles, at all points: what a core's L2 cache holds."""

DEEP = 36
"""Fewest tiles of a block: products are summed over a whole block before the sum is written back."""


def supports(problem: Problem) -> bool:
    if problem.operation not in CONVOLUTION or problem.device != "cpu" or problem.dtype not in DTYPES:
        return False
    turns = problem.operation != "grad_input" or problem.geometry.has_flipped
    return problem.plain and turns and _has_tiles(problem) and runtime.is_available()


def _has_tiles(problem: Problem) -> bool:
    many = min(problem.in_channels, problem.out_channels) >= LANES and problem.outputs > 0
    return many and problem.geometry.groups == 1 and is_tiled(problem.geometry)


def gain(problem: Problem) -> float:
    """The speed-up of a convolution, transforms included; 1 where it cannot be cut into tiles."""
    if not _has_tiles(problem):
        return 1.0
    of = problem.batch, problem.in_channels, problem.out_channels
    found = tiling(problem.geometry, *of)
    lost = loss(found, *of, torch.get_num_threads()) if problem.operation == "grad_weight" else 1.0
    return problem.products / (found.products(*of) * lost)


def forward(x: Tensor, w: Tensor, bias: Tensor | None, geometry: Geometry) -> Tensor:
    """y = O ((W w) * (I x)) for each tile, each transform along all axes."""
    from sigconv.kernels.winograd import loops

    runtime.use_torchs_threads()
    (batch, channels), maps = x.shape[:2], len(w)
    found, wide, parts = tiling(geometry, batch, channels, maps), LANES * blocks_of(maps), torch.get_num_threads()
    y, outputs = empty_rows(batch, maps, geometry.output_size, x.dtype)
    shift = x.new_zeros(maps) if bias is None else bias
    points = math.prod(found.points)
    block = _block(points * (channels + wide) * x.itemsize)
    room = workspace(
        outputs.dtype,
        (points, channels, wide),
        (parts, block, points * channels + LANES),  # not a power of two, which maps to few cache sets
        (parts, block, points * wide + LANES),
        (parts, 2, points * max(channels, wide)),
        (math.prod(geometry.window.kernel), channels, wide),
    )
    weights = room.pop()
    weights[..., maps:] = 0
    weights[..., :maps] = w.flatten(2).permute(2, 1, 0).numpy(force=True)
    loops.forward(rows(x), weights, array(shift), outputs, tiles(found), *room)
    return like(y, x)


def grad_input(w: Tensor, g: Tensor, geometry: Geometry) -> Tensor:
    """The convolution of the output's gradient with the flipped kernel."""
    return forward(g, turned(w).transpose(0, 1), None, geometry.flipped)


def grad_weight(x: Tensor, g: Tensor, geometry: Geometry) -> Tensor:
    """gw = W' (sum of (I x) * (O' g) over all tiles): the derivative of y."""
    from sigconv.kernels.winograd import loops

    runtime.use_torchs_threads()
    (batch, channels), maps = x.shape[:2], g.shape[1]
    found, wide, parts = tiling(geometry, batch, channels, maps), LANES * blocks_of(maps), torch.get_num_threads()
    points, seen, shared = math.prod(found.points), rows(x), share_out(found, batch, channels, maps, parts)
    cut = tiles(found)
    block = min(max(DEEP, _block(points * (channels + maps) * x.itemsize)), batch * cut.per_signal)
    room = workspace(
        seen.dtype,
        (shared.spans, points, channels, wide),
        (parts, points, block * largest(channels, shared.of_channels) + LANES),
        (parts, points, block * largest(maps, shared.of_maps) + LANES),
        (parts, 2, points * max(channels, wide)),
    )
    gw = np.empty((*geometry.window.kernel, channels, wide), seen.dtype)
    loops.grad_weight(seen, rows(g), gw.reshape(-1, channels, wide), cut, block, shared, *room)
    return like(torch.from_numpy(gw)[..., :maps].permute(-1, -2, *range(geometry.window.ndim)), x)


def _block(bytes_of_tile: int) -> int:
    """How many tiles a block has: a multiple of the rows of a panel of the matrix product."""
    from sigconv.kernels.compiled.panels import TALL

    return TALL * max(1, BLOCK // (TALL * bytes_of_tile))
