"""Where torch's own functions and autograd serve, so that no Function of ours is needed."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from sigconv.geometry import Geometry
from sigconv.kernels import vendor
from sigconv.kernels.problem import Problem, is_plain, is_traced
from sigconv.layout import is_channels_last
from sigconv.planner.choice import Settings, choose, is_forced, search, settings_now
from sigconv.planner.rules import LEAST_PLANNED, LEAST_POOLED
from sigconv.remembered import remembered
from sigconv.window import Window


def is_native(geometry: Geometry, x: Tensor, w: Tensor) -> bool:
    """Whether the vendor computes a convolution in all directions, so that torch's own autograd can be used.

    That saves the overhead of our own Function, which dominates for small signals, and is what compilers handle best.
    """
    if is_forced():
        return False
    if is_traced() or x.numel() < LEAST_PLANNED:
        return geometry.window.ndim in vendor.RANKS and not _has_unsafe_gradient(geometry.window, x.shape[1], x)
    form = x.shape[0], x.shape[1], w.shape[0], x.dtype, x.device.type, is_channels_last(x), is_plain((x, w))
    wants = torch.is_grad_enabled()
    wanted = wants and x.requires_grad, wants and w.requires_grad
    return _vendor_serves(geometry, form, wanted, settings_now())


def is_native_transposed(window: Window, x: Tensor, out_channels: int) -> bool:
    """The same for a transposed convolution with the padding that is common to both sides."""
    return not is_forced() and window.ndim in vendor.RANKS and not _has_unsafe_gradient(window, out_channels, x)


def _has_unsafe_gradient(window: Window, in_channels: int, x: Tensor) -> bool:
    """Whether the vendor's weight gradient cannot be trusted and may be needed, as it is not while tracing."""
    return not torch.jit.is_tracing() and vendor.has_unsafe_grad_weight(window, in_channels, x.device.type)


def is_native_pooling(operation: str, geometry: Geometry, x: Tensor) -> bool:
    """The same for pooling."""
    if is_forced():
        return False
    if not torch.compiler.is_compiling() and x.numel() >= (LEAST_POOLED if is_channels_last(x) else LEAST_PLANNED):
        return choose(Problem.of(operation, geometry, (x,))).kernel == "vendor"
    return vendor.supports_pooling(operation, geometry)


@remembered
def _vendor_serves(geometry: Geometry, form: tuple[Any, ...], wanted: tuple[bool, bool], settings: Settings) -> bool:
    """Whether the vendor computes a convolution and those of its input and weight gradients that are wanted."""
    forward = Problem("forward", geometry, *form)
    if vendor.has_unsafe_grad_weight(geometry.window, forward.in_channels, forward.device):
        return False
    by_input, by_weight = wanted
    operations = ["forward"] + ["grad_input"] * by_input + ["grad_weight"] * by_weight
    return all(search(replace(forward, operation=operation), settings).kernel == "vendor" for operation in operations)
