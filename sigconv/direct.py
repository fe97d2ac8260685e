"""Convolutions that go straight to what computes them, by the form of their operands.

Of a form that has been before it is known that all checks hold, and whether torch computes all directions or functions
of ours do. So nothing is left to be done before: that would take longer than a small convolution itself.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import partial

import torch
from torch import Tensor

from sigconv import planner
from sigconv.geometry import Geometry
from sigconv.kernels.problem import is_autocast, is_plain
from sigconv.layout import channels_last, channels_last_strides
from sigconv.trilinear import derivative
from sigconv.window import Window

Direct = Callable[[Tensor, Tensor, Tensor | None], Tensor]

MOST = 4096
"""Forms that are remembered."""

_known: dict[Hashable, Direct] = {}


def form(
    x: Tensor, w: Tensor, b: Tensor | None, window: Window, groups: int, modes: Sequence[str]
) -> tuple[Hashable, ...] | None:
    """All by which checks and plan could differ; None where more than that could, as under a transform."""
    operands = (x, w) if b is None else (x, w, b)
    if planner.is_forced() or not is_plain(operands) or is_autocast(x):
        return None
    records = torch.is_grad_enabled()
    wanted = records and x.requires_grad, records and w.requires_grad
    forms = [(t.shape, t.dtype, t.device) for t in operands]
    return window, groups, modes, *wanted, x.stride(), w.stride(), *forms


def known(form: Hashable) -> Direct | None:
    """The function of x, w and bias that computes a convolution of this form, if there has been one."""
    # A compiler, for which nothing has a form, would go through all that is remembered.
    return None if form is None else _known.get(form)


def remember(form: Hashable, x: Tensor, w: Tensor, geometry: Geometry, *, laid_out: bool) -> None:
    """Note how a convolution is computed whose checks held; whether x was ``laid_out`` in channels-last for it."""
    if form is None or form in _known:
        return
    if len(_known) >= MOST:
        _known.clear()
    function = _direct(x, w, geometry)
    _known[form] = partial(_laid_out, function) if laid_out else function


def _direct(x: Tensor, w: Tensor, geometry: Geometry) -> Direct:
    if not planner.is_native(geometry, x, w):
        return partial(_differentiable, geometry)
    other, uneven = planner.vendor.better_form(x, geometry), any(map(any, geometry.window.uneven_padding))
    if other is None and not uneven:
        return partial(_convolve, planner.vendor.arguments(geometry))
    # Of one place not all strides tell; as a picture it may be in either layout.
    if other and x.ndim == 3 and not uneven and x.stride() == channels_last_strides(x.shape):
        return partial(_convolve_as_picture, planner.vendor.arguments(other))
    return partial(_convolve_in_better_form, geometry)


def _laid_out(function: Direct, x: Tensor, w: Tensor, b: Tensor | None) -> Tensor:
    return function(channels_last(x), w, b)


def _differentiable(geometry: Geometry, x: Tensor, w: Tensor, b: Tensor | None) -> Tensor:
    return derivative(x, w, None, b, geometry)


def _convolve(arguments: tuple, x: Tensor, w: Tensor, b: Tensor | None) -> Tensor:
    return torch.convolution(x, w, b, *arguments)


def _convolve_in_better_form(geometry: Geometry, x: Tensor, w: Tensor, b: Tensor | None) -> Tensor:
    return planner.vendor.forward(x, w, b, geometry)


def _convolve_as_picture(arguments: tuple, x: Tensor, w: Tensor, b: Tensor | None) -> Tensor:
    return torch.convolution(x.unsqueeze(2), w.unsqueeze(2), b, *arguments).squeeze(2)
