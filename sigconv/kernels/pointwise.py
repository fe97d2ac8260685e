"""Convolutions that look at one place only (1x1, 1x1x1, ...): matrix products over the channels.

Shapes are those of :mod:`sigconv.kernels.reference`.
"""

import torch
from torch import Tensor

from sigconv.geometry import Geometry
from sigconv.kernels.problem import CONVOLUTION, Problem
from sigconv.layout import is_channels_last, like

DTYPES = (torch.float64, torch.float32)


def supports(problem: Problem) -> bool:
    geometry = problem.geometry
    window = geometry.window
    at_each_place = window.places == 1 and not window.is_padded and all(s == 1 for s in window.stride)
    convolution = problem.operation in CONVOLUTION
    return convolution and at_each_place and geometry.groups == 1 and problem.dtype in DTYPES


def forward(x: Tensor, w: Tensor, bias: Tensor | None, geometry: Geometry) -> Tensor:
    """y = bias + w x, at each place."""
    y = _multiplied(w.flatten(1), x)
    return y if bias is None else y + bias.reshape(-1, *[1] * geometry.window.ndim)


def grad_input(w: Tensor, g: Tensor, geometry: Geometry) -> Tensor:
    """gx = w' g, at each place."""
    return _multiplied(w.flatten(1).t(), g)


def grad_weight(x: Tensor, g: Tensor, geometry: Geometry) -> Tensor:
    """gw = sum over the places of g x'."""
    if is_channels_last(x):
        gw = g.movedim(1, -1).flatten(0, -2).t() @ x.movedim(1, -1).flatten(0, -2)
    else:
        gw = torch.matmul(g.flatten(2), x.flatten(2).mT).sum(0)
    return like(gw.reshape(*gw.shape, *geometry.window.kernel), x)


def _multiplied(matrix: Tensor, x: Tensor) -> Tensor:
    """``matrix`` (to, from) times the channels of x (batch, from, \\*size), laid out like x."""
    if is_channels_last(x):
        return torch.matmul(x.movedim(1, -1), matrix.t()).movedim(-1, 1)
    return torch.matmul(matrix, x.flatten(2)).unflatten(2, x.shape[2:])
