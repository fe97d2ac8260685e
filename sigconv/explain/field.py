"""The receptive field of a place of a layer, and how much of it counts."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from sigconv.explain.layers import activity

Range = tuple[int, int]
AT_ONCE = 8  # inputs that the network takes together
SHARE = 0.95  # of the gradient, along each axis


@torch.no_grad()
def receptive_field(network: nn.Module, layer: str, x: Tensor, places: Sequence[Sequence[int]]) -> list[list[Range]]:
    """For each place of a layer, the samples that it sees: along each axis the first, and one past the last.

    A place becomes NaN if a sample that it sees is NaN, so this works for any network whose operations propagate NaN,
    as arithmetic, ReLU and max pooling do and comparisons do not. Bisection finds how many samples at either end may be
    NaN without a change, for all places together. A place that sees only padding has (0, 0).

    Args:
        network: in evaluation mode.
        x: (channels, \\*size), finite; its values do not matter.

    Raises:
        UsageError: there is no such layer.
    """
    ranges = []
    for axis in range(x.ndim - 1):
        length = x.shape[axis + 1]
        before, behind = (
            _unseen(partial(_notice, network, layer, x, places, axis, end), len(places), length)
            for end in ("first", "last")
        )
        pairs = zip(before, behind, strict=True)
        ranges.append([(first, length - last) if first < length else (0, 0) for first, last in pairs])
    return [list(of_place) for of_place in zip(*ranges, strict=True)]


def _unseen(notice: Callable[[list[int]], list[bool]], places: int, length: int) -> list[int]:
    """For each place, the largest number of samples, counted from one end, none of which it sees."""
    most, too_many = [0] * places, [length + 1] * places
    while any(b - a > 1 for a, b in zip(most, too_many, strict=True)):
        between = [(a + b) // 2 for a, b in zip(most, too_many, strict=True)]
        for i, seen in enumerate(notice(between)):
            (too_many if seen else most)[i] = between[i]
    return most


def _notice(
    network: nn.Module,
    layer: str,
    x: Tensor,
    places: Sequence[Sequence[int]],
    axis: int,
    end: Literal["first", "last"],
    counts: Sequence[int],
) -> list[bool]:
    """Whether each place becomes NaN when its number, in ``counts``, of samples at one end of an axis are NaN."""
    found = []
    for begin in range(0, len(places), AT_ONCE):
        some = counts[begin : begin + AT_ONCE]
        inputs = x.expand(len(some), *x.shape).clone()
        for one, count in zip(inputs, some, strict=True):
            one.narrow(axis + 1, 0 if end == "first" else x.shape[axis + 1] - count, count).fill_(torch.nan)
        outputs = activity(network, layer, inputs)  # by the vendor's kernels: others may spread NaN to neighbours
        for y, place in zip(outputs, places[begin : begin + AT_ONCE], strict=True):
            found.append(bool(_at(y, place).isnan().any()))
    return found


def _at(y: Tensor, place: Sequence[int]) -> Tensor:
    """All maps at a place: (..., \\*places) -> (...)."""
    for index in reversed(place):
        y = y.select(-1, index)
    return y


@torch.enable_grad()
def effective_field(network: nn.Module, layer: str, x: Tensor) -> Tensor:
    """(\\*size): the magnitude of the middle place's gradient (all maps summed) at each sample, averaged over x.

    Luo et al., "Understanding the effective receptive field in deep convolutional neural networks", NeurIPS 2016.

    Args:
        network: in evaluation mode.
        x: (batch, channels, \\*size).

    Raises:
        UsageError: there is no such layer.
    """
    leaf = x.detach().clone().requires_grad_()
    y = activity(network, layer, leaf)
    return torch.autograd.grad(_at(y, middle(y)).sum(), leaf)[0].abs().sum(1).mean(0)


def middle(y: Tensor) -> tuple[int, ...]:
    """The place in the middle of (batch, maps, \\*places)."""
    return tuple(length // 2 for length in y.shape[2:])


def extent(strength: Tensor) -> list[Range]:
    """Along each axis, the range that holds the middle :data:`SHARE` of ``strength`` (non-negative, not all zero)."""
    ranges = []
    for axis in range(strength.ndim):
        along = strength.double().movedim(axis, 0).reshape(strength.shape[axis], -1).sum(1).cumsum(0)
        share = along / along[-1]
        cut = (1 - SHARE) / 2
        ranges.append((int((share < cut).sum()), int((share < 1 - cut).sum()) + 1))
    return ranges
