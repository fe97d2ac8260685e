"""Convolutions that go straight to torch's operator, by the form of their operands.

Where it is known that all checks hold and that torch computes all directions, nothing is left to be done before: that
would take longer than a small convolution itself.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import torch
from torch import Tensor

from . import planner
from .kernels.problem import is_autocast, is_plain
from .window import Geometry, Window

MOST = 4096
"""Forms that are remembered."""

_arguments: dict[Hashable, tuple] = {}


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


def arguments(form: Hashable) -> tuple | None:
    """Those of torch's operator behind its tensors, if a convolution of this form is known to be its."""
    return _arguments.get(form)


def remember(form: Hashable, x: Tensor, w: Tensor, geometry: Geometry) -> None:
    """Note the form of a convolution whose checks held, if torch's operator takes it as it is."""
    if form is None or not planner.is_native(geometry, x, w) or not planner.vendor.takes_as_it_is(x, geometry):
        return
    if len(_arguments) >= MOST:
        _arguments.clear()
    _arguments[form] = planner.vendor.arguments(geometry)
