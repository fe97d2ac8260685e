"""The input gradient of a depthwise convolution, as the vendor's convolution with the flipped kernel."""

import torch
from torch import Tensor

from sigconv.geometry import Geometry
from sigconv.kernels import vendor
from sigconv.kernels.problem import Problem

DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)


def supports(problem: Problem) -> bool:
    as_many = problem.out_channels == problem.in_channels
    flips = problem.operation == "grad_input" and problem.geometry.has_flipped
    return flips and problem.depthwise and as_many and problem.geometry.window.ndim in vendor.RANKS


def grad_input(w: Tensor, g: Tensor, geometry: Geometry) -> Tensor:
    return vendor.forward(g, turned(w), None, geometry.flipped)


def turned(w: Tensor) -> Tensor:
    """w (map, channel, \\*kernel), flipped along each kernel axis."""
    return w.flip(list(range(2, w.ndim)))
