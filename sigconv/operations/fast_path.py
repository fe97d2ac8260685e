"""A fast path for convolution and pooling: what computes them is remembered by the form of their operands.

For a form that was seen before, the checks have passed and the function is chosen, so only the call remains. Doing all
that again would take longer than a small convolution itself.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import torch
from torch import Tensor

from sigconv import planner
from sigconv.geometry import Geometry
from sigconv.kernels import vendor
from sigconv.kernels.problem import is_plain
from sigconv.layout import channels_last, channels_last_strides
from sigconv.operations.trilinear import derivative
from sigconv.window import Window

Call = tuple[Callable[..., Any], tuple]
"""A function of x, w and bias, or of x alone, and its arguments after these."""

MOST = 4096
"""How many forms are remembered at most."""

_known: dict[Hashable, Call] = {}


def form(
    x: Tensor, w: Tensor, b: Tensor | None, window: Window, groups: int, modes: Sequence[str], innermost: bool
) -> tuple[Hashable, ...] | None:
    """Everything that checks and plan depend on; None where they depend on more, as under a transform."""
    if planner.is_forced() or not is_plain((x, w) if b is None else (x, w, b)):
        return None
    bias = None if b is None else (b.shape, b.dtype, b.device)
    return (
        *(window, groups, modes, bias, torch.is_grad_enabled(), x.requires_grad, w.requires_grad),
        *(torch.get_num_threads(), innermost),
        *(x.shape, x.stride(), x.dtype, x.device, w.shape, w.stride(), w.dtype, w.device),
    )


def known(form: Hashable) -> Call | None:
    """The call that is remembered for this form, if any."""
    # While compiling, where form is None, a lookup would make the compiler go through all that is remembered.
    return None if form is None else _known.get(form)


def remember(form: Hashable, call: Call) -> None:
    """Remember the call of a convolution or pooling of this form, once its checks have passed."""
    if form is None:
        return
    if len(_known) >= MOST:
        _known.clear()
    _known[form] = call


def pooling_form(x: Tensor, window: Window, *options: Hashable) -> tuple[Hashable, ...] | None:
    """The same as :func:`form` for pooling; max and average pooling have different ``options``."""
    if planner.is_forced() or not is_plain((x,)):
        return None
    return window, options, torch.get_num_threads(), x.shape, x.stride(), x.dtype, x.device


def convolution_call(x: Tensor, w: Tensor, geometry: Geometry) -> Call:
    """The call that convolves x with w in this ``geometry`` and adds a bias."""
    if not planner.is_native(geometry, x, w):
        return _differentiable, (geometry,)
    other, uneven = vendor.better_form(x, geometry), geometry.window.is_padded_unevenly
    if other is None and not uneven:
        return torch.convolution, vendor.arguments(geometry)
    # The strides of a single place are ambiguous; as a picture it may be in either layout.
    if other and x.ndim == 3 and not uneven and x.stride() == channels_last_strides(x.shape):
        return _convolve_as_picture, vendor.arguments(other)
    return vendor.forward, (geometry,)


def laid_out(call: Call) -> Call:
    """The same call for an x that is not yet in channels-last."""
    return _lay_out, call


def _lay_out(x: Tensor, w: Tensor, b: Tensor | None, function: Callable[..., Tensor], arguments: tuple) -> Tensor:
    return function(channels_last(x), w, b, *arguments)


def _differentiable(x: Tensor, w: Tensor, b: Tensor | None, geometry: Geometry) -> Tensor:
    return derivative(x, w, None, b, geometry)


def _convolve_as_picture(x: Tensor, w: Tensor, b: Tensor | None, *arguments: Any) -> Tensor:
    return torch.convolution(x.unsqueeze(2), w.unsqueeze(2), b, *arguments).squeeze(2)
