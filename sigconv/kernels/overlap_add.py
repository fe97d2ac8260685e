"""grad_input by overlap-add: for convolutions of few input channels, which leave the vendor's kernels partly idle.

One matrix product gives what each output place contributes to the places of its window; where windows overlap, these
terms are added. With ``s`` the stride, samples are counted in blocks of ``s``: place ``s*q + r`` of window ``o`` is
sample ``r`` of block ``o + q``. So the terms of all windows with one ``q`` are added at once, contiguous in memory.

Shapes are those of :mod:`sigconv.kernels.reference`.
"""

import math
from collections.abc import Iterable
from itertools import product

import torch
from torch import Tensor

from sigconv.geometry import Geometry
from sigconv.kernels.problem import Problem
from sigconv.layout import like
from sigconv.window import Sizes

DTYPES = (torch.float64, torch.float32)

AT_ONCE = 1 << 23
"""The most terms in memory at a time, unless one sample of the batch has more."""


def supports(problem: Problem) -> bool:
    geometry = problem.geometry
    undilated = all(d == 1 for d in geometry.window.dilation)
    return problem.operation == "grad_input" and problem.dtype in DTYPES and geometry.groups == 1 and undilated


def grad_input(w: Tensor, g: Tensor, geometry: Geometry) -> Tensor:
    """gx[s*o + k] = sum over all such o and k of g[o] w[k]."""
    terms = math.prod(geometry.output_size) * math.prod(w.shape[1:])
    parts = g.split(max(1, AT_ONCE // terms))
    return like(torch.cat([_grad_input(w, part, geometry) for part in parts]), g)


def _grad_input(w: Tensor, g: Tensor, geometry: Geometry) -> Tensor:
    terms = torch.matmul(w.flatten(1).t(), g.flatten(2))
    terms = terms.reshape(g.shape[0], *w.shape[1:], *g.shape[2:])
    padded = _joined(_added(terms, geometry), geometry.window.stride)
    return padded[_places(2, [before for before, _ in geometry.window.padding], geometry.size)]


def _added(terms: Tensor, geometry: Geometry) -> Tensor:
    """Terms (batch, channel, \\*kernel, \\*output size) as padded samples (batch, channel, \\*stride, \\*blocks)."""
    stride, out = geometry.window.stride, geometry.output_size
    reach = [-(-k // s) for k, s in zip(geometry.window.kernel, stride, strict=True)]
    # One block more than the windows reach, for samples left over by the stride.
    blocks = [m + r for m, r in zip(out, reach, strict=True)]
    samples = terms.new_zeros((*terms.shape[:2], *stride, *blocks))
    for q in product(*map(range, reach)):
        seen = terms[_places(2, [s * first for s, first in zip(stride, q, strict=True)], stride)]
        given = seen.shape[: 2 + len(stride)]  # the last block may be incomplete
        samples[(*map(slice, given), *_places(0, q, out))] += seen
    return samples


def _joined(samples: Tensor, stride: Sizes) -> Tensor:
    """Samples (batch, channel, \\*stride, \\*blocks) in the order of time: (batch, channel, \\*(stride * blocks))."""
    ndim = len(stride)
    axes = [axis for pair in zip(range(2 + ndim, 2 + 2 * ndim), range(2, 2 + ndim), strict=True) for axis in pair]
    size = [m * s for m, s in zip(samples.shape[2 + ndim :], stride, strict=True)]
    return samples.permute(0, 1, *axes).reshape(*samples.shape[:2], *size)


def _places(skipped: int, first: Iterable[int], length: Iterable[int]) -> tuple[slice, ...]:
    """An index to ``length`` places from the ``first`` of each axis, after ``skipped`` whole axes."""
    return (slice(None),) * skipped + tuple(slice(f, f + n) for f, n in zip(first, length, strict=True))
