"""Checks before a kernel runs. Every message names the owner (a layer or a function), the axis and both numbers."""

import operator
from collections.abc import Sequence
from numbers import Integral

import torch
from torch import Tensor

from sigconv.errors import UsageError
from sigconv.geometry import Geometry
from sigconv.window import PerAxis, Sizes, Window, per_axis

DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)


def convolution(
    owner: object, x: Tensor, w: Tensor, b: Tensor | None, window: Window, n_groups: int, *, transposed: bool = False
) -> None:
    """All checks of the operands of a convolution, or of a transposed one, whose weight has x's channels first."""
    signal(owner, x, window.ndim)
    operands(owner, x, w, b)
    groups(owner, n_groups, w.shape[0], "in channels" if transposed else "out channels")
    one, other = w.shape[0], w.shape[1] * n_groups
    channels(owner, x, one if transposed else other, window.ndim)
    bias(owner, b, other if transposed else one)
    kernel(owner, w, window)


def weight(owner: object, weight: Tensor) -> None:
    _tensor(owner, "weight", weight)
    if weight.ndim < 3:
        raise UsageError(
            f"{owner}: weight has shape {tuple(weight.shape)}; it must be (channels, channels, *kernel), rank 3 or more"
        )


def kernel(owner: object, w: Tensor, window: Window) -> None:
    """The weight, which may have been replaced, matches the window."""
    if w.shape[2:] != window.kernel:
        raise UsageError(
            f"{owner}: the weight's kernel is {tuple(w.shape[2:])} but the window's is {window.kernel}; a layer whose "
            f"weight is replaced by one of another size needs its kernel_size set, too"
        )


def signal(owner: object, x: Tensor, ndim: int) -> None:
    """x is ([batch,] channel, *size) with ``ndim`` spatial axes, of a supported dtype."""
    _tensor(owner, "input", x)
    if x.ndim not in (ndim + 1, ndim + 2):
        raise UsageError(
            f"{owner}: input has {x.ndim} axes, shape {tuple(x.shape)}; {ndim} spatial axes need {ndim + 2} "
            f"(batch, channel, ...) or {ndim + 1} (channel, ...)"
        )
    if x.dtype not in DTYPES:
        raise UsageError(f"{owner}: input is {x.dtype}; the dtypes are {', '.join(map(str, DTYPES))}")


def _tensor(owner: object, name: str, value: object) -> None:
    if not isinstance(value, Tensor):
        raise UsageError(f"{owner}: {name} is a {type(value).__name__}; it must be a tensor")


def operands(owner: object, x: Tensor, weight: Tensor, bias: Tensor | None) -> None:
    for name, tensor in (("weight", weight), ("bias", bias)):
        if tensor is None:
            continue
        _tensor(owner, name, tensor)
        if tensor.dtype != x.dtype:
            raise UsageError(f"{owner}: input is {x.dtype} but {name} is {tensor.dtype}")
        if tensor.device != x.device:
            raise UsageError(f"{owner}: input is on {x.device} but {name} is on {tensor.device}")


def channels(owner: object, x: Tensor, expected: int, ndim: int) -> None:
    found = x.shape[-ndim - 1]
    if found != expected:
        raise UsageError(f"{owner}: input of shape {tuple(x.shape)} has {found} channels; the weight takes {expected}")


def groups(owner: object, groups: int, channels: int, what: str) -> None:
    if not isinstance(groups, Integral):
        raise UsageError(f"{owner}: groups is {groups!r}, not a whole number")
    if groups < 1 or channels % groups:
        raise UsageError(f"{owner}: {channels} {what} cannot be split into {groups} groups")


def bias(owner: object, bias: Tensor | None, channels: int) -> None:
    if bias is not None and tuple(bias.shape) != (channels,):
        raise UsageError(f"{owner}: bias has shape {tuple(bias.shape)}; {channels} out channels need ({channels},)")


def fits(owner: object, geometry: Geometry) -> None:
    """At least one window fits into the padded input along every axis."""
    window = geometry.window
    if all(map(operator.ge, geometry.size, window.least_size)):
        return
    for axis, (n, (before, after), e) in enumerate(zip(geometry.size, window.padding, window.extent, strict=True)):
        if n + before + after < e:
            k, d = window.kernel[axis], window.dilation[axis]
            raise UsageError(
                f"{owner}: on spatial axis {axis} the window spans {e} samples (kernel {k}, dilation {d}) but the "
                f"input has {n} and padding {before} + {after}, together {n + before + after}"
            )
    not_empty(owner, geometry.size)


def not_empty(owner: object, size: Sizes) -> None:
    for axis, n in enumerate(size):
        if n < 1:
            raise UsageError(f"{owner}: on spatial axis {axis} there are {n} samples; there must be at least 1")


def no_blind_window(owner: object, geometry: Geometry) -> None:
    axis = geometry.window.blind_axis(geometry.size)
    if axis is not None:
        raise UsageError(
            f"{owner}: on spatial axis {axis} padding {geometry.window.padding[axis]} leaves windows of "
            f"{geometry.window.extent[axis]} samples that see nothing of the input's {geometry.size[axis]}"
        )


def output_padding(owner: object, output_padding: Sizes, window: Window) -> None:
    """It is less than the stride or, as in torch, the dilation: no window would see more samples."""
    for axis, (extra, s, d) in enumerate(zip(output_padding, window.stride, window.dilation, strict=True)):
        if extra >= max(s, d):
            raise UsageError(
                f"{owner}: output_padding on spatial axis {axis} is {extra}; with stride {s} and dilation {d} the most "
                f"is {max(s, d) - 1}"
            )


def padding_to(owner: object, output_size: PerAxis, window: Window, x: Tensor) -> Sizes:
    """The output_padding with which a transposed convolution of x gives ``output_size``."""
    signal(owner, x, window.ndim)
    if isinstance(output_size, Sequence) and len(output_size) == x.ndim:
        output_size = output_size[-window.ndim :]  # from the shape of a whole signal
    size = tuple(x.shape[-window.ndim :])
    output_size = per_axis(output_size, window.ndim, 0, "output_size", owner)
    smallest = window.input_size(size)
    for axis, (wanted, least, s) in enumerate(zip(output_size, smallest, window.stride, strict=True)):
        if not least <= wanted < least + s:
            raise UsageError(
                f"{owner}: output_size on spatial axis {axis} is {wanted}; an input of {size[axis]} samples gives "
                f"{least} to {least + s - 1}"
            )
    return tuple(wanted - least for wanted, least in zip(output_size, smallest, strict=True))
