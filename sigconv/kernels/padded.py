"""The vendor's convolution of a signal that is padded explicitly, where the vendor's kernels are slow at padding."""

import torch
from torch import Tensor

from sigconv.geometry import Geometry
from sigconv.kernels import vendor
from sigconv.kernels.problem import Problem
from sigconv.layout import like
from sigconv.padding import pad_constant

DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)


def supports(problem: Problem) -> bool:
    is_padded = problem.geometry.window.is_padded
    return problem.operation == "forward" and is_padded and vendor.supports(problem)


def forward(x: Tensor, w: Tensor, bias: Tensor | None, geometry: Geometry) -> Tensor:
    padded = like(pad_constant(x, geometry.window.padding), x)
    return vendor.forward(padded, w, bias, geometry.padded)
