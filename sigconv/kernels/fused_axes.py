"""Convolutions with idle axes, along which the window is one place that moves by one: idle neighbours become one axis.

A 3x1x1 convolution over time, height and width is a 3x1 convolution over time and pixels; merging is a view in either
layout, and the vendor's kernels are faster, or exist at all, for fewer axes. grad_weight is a matrix product for each
place of the window instead.

Shapes are those of :mod:`sigconv.kernels.reference`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..geometry import Geometry
from ..layout import like
from ..padding import pad_constant
from ..window import Sizes
from . import vendor
from .problem import CONVOLUTION, Problem

DTYPES = (torch.float64, torch.float32)


def supports(problem: Problem) -> bool:
    geometry = problem.geometry
    fused = geometry.merged.window.ndim
    convolution = problem.operation in CONVOLUTION and geometry.groups == 1
    return convolution and fused < geometry.window.ndim and fused in vendor.RANKS and problem.dtype in DTYPES


def forward(x: Tensor, w: Tensor, bias: Tensor | None, geometry: Geometry) -> Tensor:
    fused = geometry.merged
    y = vendor.forward(_reshaped(x, fused.size), _reshaped(w, fused.window.kernel), bias, fused)
    return like(_reshaped(y, geometry.output_size), x)


def grad_input(w: Tensor, g: Tensor, geometry: Geometry) -> Tensor:
    fused = geometry.merged
    gx = vendor.grad_input(_reshaped(w, fused.window.kernel), _reshaped(g, fused.output_size), fused)
    return like(_reshaped(gx, geometry.size), g)


def grad_weight(x: Tensor, g: Tensor, geometry: Geometry) -> Tensor:
    """For each place k of the window: gw[k] = sum over o of x[s*o + d*k] g[o]."""
    fused = geometry.merged
    padded, g_flat = pad_constant(_reshaped(x, fused.size), fused.window.padding), g.flatten(2)
    seen = (padded[fused.window.samples(k, fused.output_size)].flatten(2) for k in fused.window.offsets())
    gw = torch.stack([torch.matmul(g_flat, at_place.mT).sum(0) for at_place in seen], -1)
    return like(_reshaped(gw, geometry.window.kernel), x)


def _reshaped(x: Tensor, size: Sizes) -> Tensor:
    return x.reshape(*x.shape[:2], *size)
