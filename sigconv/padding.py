"""Padding along any axes: with a constant, or with the signal itself."""

from collections.abc import Sequence

import torch
from torch import Tensor

from sigconv.errors import UsageError

Pairs = Sequence[tuple[int, int]]
"""(before, after), in samples, for each spatial axis."""

MODES = ("zeros", "reflect", "replicate", "circular")


def pad_constant(x: Tensor, padding: Pairs, value: float = 0.0) -> Tensor:
    """Surround the spatial axes of x (batch, channel, \\*size) with ``value``."""
    if not any(map(any, padding)):
        return x
    return torch.nn.functional.pad(x, [side for pair in reversed(padding) for side in pair], value=value)


def crop(x: Tensor, padding: Pairs) -> Tensor:
    """Cut the padding off again: the adjoint of zero padding. A copy, so that what is cut off is freed."""
    return inside(x, padding).clone() if any(map(any, padding)) else x


def inside(x: Tensor, padding: Pairs) -> Tensor:
    """The part inside the padding, as a view."""
    for axis, (before, after) in enumerate(padding, start=2):
        x = x.narrow(axis, before, x.shape[axis] - before - after)
    return x


def pad(x: Tensor, padding: Pairs, modes: Sequence[str], owner: object = "pad") -> Tensor:
    """Extend the spatial axes of x (batch, channel, \\*size), each in one of the :data:`MODES`.

    Every mode but zeros concatenates slices of the signal, so it is linear, differentiable any number of times, and
    deterministic. Raises UsageError where the signal is too short for its padding.
    """
    for axis, (mode, (before, after)) in enumerate(zip(modes, padding, strict=True)):
        if before or after:
            x = _pad_axis(x, axis, before, after, mode, owner)
    return x


def _pad_axis(x: Tensor, axis: int, before: int, after: int, mode: str, owner: object) -> Tensor:
    dim = axis + 2
    size = x.shape[dim]
    longest = {"zeros": before + after, "reflect": size - 1, "replicate": before + after, "circular": size}[mode]
    if max(before, after) > longest or (mode != "zeros" and size == 0):
        raise UsageError(
            f"{owner}: {mode} padding of {max(before, after)} on spatial axis {axis} needs more than the input's "
            f"{size} samples; the most is {max(longest, 0)}"
        )
    if mode == "zeros":
        pairs = [(before, after) if a == axis else (0, 0) for a in range(x.ndim - 2)]
        return pad_constant(x, pairs)
    if mode == "reflect":
        head, tail = x.narrow(dim, 1, before).flip(dim), x.narrow(dim, size - 1 - after, after).flip(dim)
    elif mode == "replicate":
        head = x.narrow(dim, 0, 1).expand(*_with(x.shape, dim, before))
        tail = x.narrow(dim, size - 1, 1).expand(*_with(x.shape, dim, after))
    else:
        head, tail = x.narrow(dim, size - before, before), x.narrow(dim, 0, after)
    return torch.cat([head, x, tail], dim)


def _with(shape: Sequence[int], dim: int, size: int) -> list[int]:
    return [size if d == dim else n for d, n in enumerate(shape)]


def parse_modes(mode: str | Sequence[str], ndim: int, owner: object) -> tuple[str, ...]:
    """The padding mode of each axis, from one name for all or one for each."""
    modes = tuple(mode) if isinstance(mode, Sequence) and not isinstance(mode, str) else (mode,) * ndim
    if len(modes) != ndim:
        raise UsageError(f"{owner}: padding_mode has {len(modes)} entries {modes} for {ndim} spatial axes")
    for axis, name in enumerate(modes):
        if name not in MODES:
            raise UsageError(f"{owner}: padding_mode {name!r} on spatial axis {axis}; the modes are {', '.join(MODES)}")
    return modes
