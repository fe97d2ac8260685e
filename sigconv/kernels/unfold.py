"""grad_weight of a convolution whose windows are copied out of the signal, so that one matrix product is left.

The copies are as many numbers as there are outputs for each map, times the places of the window: that pays for signals
of a channel or few, where the vendor's kernels idle. Shapes are those of :mod:`sigconv.kernels.reference`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sigconv.geometry import Geometry
from sigconv.kernels.problem import Problem
from sigconv.layout import like
from sigconv.padding import pad_constant

DTYPES = (torch.float64, torch.float32)


def supports(problem: Problem) -> bool:
    return problem.operation == "grad_weight" and problem.dtype in DTYPES and problem.geometry.groups == 1


def grad_weight(x: Tensor, g: Tensor, geometry: Geometry) -> Tensor:
    """gw[k] = sum over o of x[s*o + d*k] g[o]."""
    ndim = geometry.window.ndim
    rows = _windows(x, geometry).movedim(1, 1 + ndim).flatten(1, ndim).flatten(2)
    gw = torch.matmul(g.flatten(2), rows).sum(0)
    return like(gw.reshape(g.shape[1], x.shape[1], *geometry.window.kernel), x)


def _windows(x: Tensor, geometry: Geometry) -> Tensor:
    """What each window sees (batch, channel, \\*output size, \\*kernel): a view of the padded signal."""
    window = geometry.window
    seen = pad_constant(x, window.padding)
    for axis, (extent, stride, dilation) in enumerate(zip(window.extent, window.stride, window.dilation, strict=True)):
        seen = seen.unfold(2 + axis, extent, stride)[..., ::dilation]
    return seen
