"""grad_weight of a signal of few channels, whose windows are multiplied in place, without being copied.

A vendor's kernel takes many channels at a time and treats the few of a first layer as a remainder. Here the elements of
a window are rows and the output's maps are vectors, so that one channel is as efficient as many. Shapes are those of
:mod:`sigconv.kernels.reference`.
"""

import functools
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from sigconv.geometry import Geometry
from sigconv.kernels.compiled import runtime
from sigconv.kernels.compiled.patches import padded_rows
from sigconv.kernels.compiled.windows import CHUNKS, LANES, blocks_of, reached, rows, steps
from sigconv.kernels.compiled.workspace import workspace
from sigconv.kernels.problem import Problem
from sigconv.layout import like

DTYPES = (torch.float64, torch.float32)


class _Lines(NamedTuple):
    """Where each line's first window begins in the flattened padded input; from there, the offsets of a window's
    elements, in the order (\\*kernel, channel), and the distance to the line's next window."""

    begin: np.ndarray
    offset: np.ndarray
    jump: int


@functools.lru_cache(maxsize=256)
def _lines(geometry: Geometry, channels: int) -> _Lines:
    window = geometry.window
    apart = steps(channels, geometry.padded_size)
    jumps = apart * window.stride
    offset = reached((*window.kernel, channels), (*(apart * window.dilation), 1))
    return _Lines(reached(geometry.output_size[:-1], jumps[:-1]), offset, int(jumps[-1]))


def supports(problem: Problem) -> bool:
    fits = problem.geometry.groups == 1 and problem.out_channels >= LANES
    ours = problem.device == "cpu" and problem.dtype in DTYPES and problem.plain
    return problem.operation == "grad_weight" and fits and ours and runtime.is_available()


def grad_weight(x: Tensor, g: Tensor, geometry: Geometry) -> Tensor:
    from sigconv.kernels.few_channels import loops

    runtime.use_torchs_threads()
    channels, maps, lines = x.shape[1], g.shape[1], _lines(geometry, x.shape[1])
    samples, errors = padded_rows(x, geometry), rows(g)
    gw = np.empty((maps, len(lines.offset)), samples.dtype)
    (parts,) = workspace(samples.dtype, (CHUNKS, len(lines.offset), LANES * blocks_of(maps)))
    loops.grad_weight(samples, errors, parts, gw, *lines)
    return like(torch.from_numpy(gw).reshape(maps, *geometry.window.kernel, channels).movedim(-1, 1), x)
