"""Convolutions that go straight to torch's operator, by the form of their operands.

Where it is known that all checks hold and that torch computes all directions, nothing is left to be done before: that
would take longer than a small convolution itself.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import partial

import torch
from torch import Tensor

from sigconv import planner
from sigconv.geometry import Geometry
from sigconv.kernels.problem import is_autocast, is_plain
from sigconv.layout import channels_last_strides
from sigconv.window import Window

Direct = Callable[[Tensor, Tensor, Tensor | None], Tensor]

MOST = 4096
"""Forms that are remembered."""

_known: dict[Hashable, Direct | None] = {}


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
    return window, groups, modes, wanted, x.stride(), *forms


def known(form: Hashable) -> Direct | None:
    """The function of x, w and bias that computes a convolution of this form, if that is torch's operator."""
    # A compiler, for which nothing has a form, would go through all that is remembered.
    return None if form is None else _known.get(form)


def remember(form: Hashable, x: Tensor, w: Tensor, geometry: Geometry) -> None:
    """Note of a form whose checks held whether torch's operator takes such a convolution as it is."""
    if form is None or form in _known:
        return
    if len(_known) >= MOST:
        _known.clear()
    _known[form] = _direct(x, w, geometry)


def _direct(x: Tensor, w: Tensor, geometry: Geometry) -> Direct | None:
    if not planner.is_native(geometry, x, w):
        return None
    other = planner.vendor.better_form(x, geometry)
    if any(map(any, geometry.window.uneven_padding)):
        return None
    if other is None:
        return partial(_convolve, planner.vendor.arguments(geometry))
    if x.ndim > 3:
        return partial(_convolve_with_fewer_axes, geometry)
    if x.stride() != channels_last_strides(x.shape):  # of one place: as a picture, in either layout
        return None
    return partial(_convolve_as_picture, planner.vendor.arguments(other))


def _convolve(arguments: tuple, x: Tensor, w: Tensor, b: Tensor | None) -> Tensor:
    return torch.convolution(x, w, b, *arguments)


def _convolve_with_fewer_axes(geometry: Geometry, x: Tensor, w: Tensor, b: Tensor | None) -> Tensor:
    return planner.vendor.forward(x, w, b, geometry)


def _convolve_as_picture(arguments: tuple, x: Tensor, w: Tensor, b: Tensor | None) -> Tensor:
    return torch.convolution(x.unsqueeze(2), w.unsqueeze(2), b, *arguments).squeeze(2)
