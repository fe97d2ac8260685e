"""Depthwise convolutions as products of spectra: for windows of hundreds of places.

A correlation in time is a product with the conjugate in frequency. The transforms are cyclic, with a period that holds
the padded signal, so that nothing which is kept wraps around. The run time does not depend on the window's length.
Rounding errors are relative to the signal's largest sample, wherever it is, and NaN or infinity reaches every place.

Shapes are those of :mod:`sigconv.kernels.reference`; a spectrum has one axis for each of the signal's.
"""

import torch
from torch import Tensor
from torch.fft import irfftn, rfftn

from sigconv.geometry import Geometry
from sigconv.kernels.problem import CONVOLUTION, Problem
from sigconv.layout import like
from sigconv.padding import pad_constant
from sigconv.window import Sizes

DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
EXACT = False
"""Even sums of whole numbers are rounded."""


def supports(problem: Problem) -> bool:
    window, some = problem.geometry.window, problem.batch > 0  # MKL cannot transform an empty batch
    dense = all(s == 1 for s in window.stride) and all(d == 1 for d in window.dilation)
    convolution = problem.operation in CONVOLUTION
    return convolution and problem.depthwise and dense and some and problem.dtype in DTYPES


def forward(x: Tensor, w: Tensor, bias: Tensor | None, geometry: Geometry) -> Tensor:
    """Y = X conj(W)."""
    of_input = _spectrum(pad_constant(x, geometry.window.padding), geometry).unsqueeze(2)
    of_output = of_input * _by_channel(_spectrum(w, geometry).squeeze(1), 0, geometry).conj()
    y = _signal(of_output.flatten(1, 2), (0,) * geometry.window.ndim, geometry.output_size, geometry, x.dtype)
    return like(y if bias is None else y + bias.reshape(-1, *[1] * geometry.window.ndim), x)


def grad_input(w: Tensor, g: Tensor, geometry: Geometry) -> Tensor:
    """GX = G W, summed over the maps of a channel."""
    of_output = _by_channel(_spectrum(g, geometry), 1, geometry)
    of_input = (of_output * _by_channel(_spectrum(w, geometry).squeeze(1), 0, geometry)).sum(2)
    before = tuple(before for before, _ in geometry.window.padding)
    return like(_signal(of_input, before, geometry.size, geometry, g.dtype), g)


def grad_weight(x: Tensor, g: Tensor, geometry: Geometry) -> Tensor:
    """GW = X conj(G), summed over the batch."""
    of_input = _spectrum(pad_constant(x, geometry.window.padding), geometry).unsqueeze(2)
    of_weight = (of_input * _by_channel(_spectrum(g, geometry), 1, geometry).conj()).sum(0)
    of_weight = of_weight.flatten(0, 1).unsqueeze(1)
    return like(_signal(of_weight, (0,) * geometry.window.ndim, geometry.window.kernel, geometry, x.dtype), x)


def _by_channel(spectrum: Tensor, dim: int, geometry: Geometry) -> Tensor:
    """Split the maps at ``dim`` into (input channels, maps of a channel)."""
    return spectrum.unflatten(dim, (geometry.groups, -1))


def _spectrum(x: Tensor, geometry: Geometry) -> Tensor:
    """The spectrum of x, in single precision at least: CPUs have no FFT in half precision."""
    return rfftn(x.float() if x.element_size() < 4 else x, _periods(geometry), _axes(geometry))


def _signal(spectrum: Tensor, first: Sizes, size: Sizes, geometry: Geometry, dtype: torch.dtype) -> Tensor:
    """``size`` samples from the ``first`` of each axis."""
    x = irfftn(spectrum, _periods(geometry), _axes(geometry))
    return x[(..., *(slice(f, f + n) for f, n in zip(first, size, strict=True)))].to(dtype)


def _axes(geometry: Geometry) -> tuple[int, ...]:
    return tuple(range(2, 2 + geometry.window.ndim))


def _periods(geometry: Geometry) -> Sizes:
    """For each axis a period that holds the padded signal and has small prime factors: 9 to 16 times a power of two."""
    padded = geometry.padded_size
    units = [1 << max(0, (n - 1).bit_length() - 4) for n in padded]
    return tuple(-(-n // unit) * unit for n, unit in zip(padded, units, strict=True))
