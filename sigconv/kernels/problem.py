"""What a kernel is asked for: all by which it can be chosen, without the numbers themselves."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import _get_current_dispatch_mode

from ..layout import is_channels_last
from ..window import Geometry, Sizes

NO_WINNER = 255
"""The place in a window that stands for none, in winners that are uint8."""

OF_WINNERS = "_of_winners"
"""Behind grad_input and grad_weight: from the errors of a map that was pooled and from who won, in its geometry."""


@dataclass(frozen=True)
class Problem:
    """An operation and the form of its operands.

    ``in_channels`` and ``out_channels`` are the convolution's, whatever the operation; pooling has as many of both.
    ``plain`` is False for tensors whose numbers cannot be had: under a transform, while compiling, or of a subclass.
    """

    operation: str
    geometry: Geometry
    batch: int
    in_channels: int
    out_channels: int
    dtype: torch.dtype
    device: str
    channels_last: bool
    plain: bool
    winners: torch.dtype | None = None

    @classmethod
    def of(cls, operation: str, geometry: Geometry, operands: tuple[Tensor | None, ...]) -> Problem:
        """Operands in the order x, w, g for convolution; of pooling in that of the kernels' functions."""
        tensors = [t for t in operands if t is not None]
        winner = next((t for t in tensors if not t.is_floating_point()), None)
        signal = next(t for t in tensors if t is not winner)
        convolution = operation.removesuffix(OF_WINNERS)
        if convolution in ("forward", "grad_input", "grad_weight"):
            signals = [t for t in tensors if t is not winner]
            in_channels, out_channels, signal = _channels(convolution, geometry, signals)
        else:
            in_channels = out_channels = signal.shape[1]
        return cls(
            operation,
            geometry,
            signal.shape[0],
            in_channels,
            out_channels,
            signal.dtype,
            signal.device.type,
            is_channels_last(signal),
            is_plain(tensors),
            None if winner is None else winner.dtype,
        )

    def turned(self, operation: str) -> Problem:
        """The same convolution in another direction."""
        return replace(self, operation=operation)

    @property
    def depthwise(self) -> bool:
        """Each channel is convolved by itself, to one map or several."""
        return self.geometry.groups == self.in_channels

    @property
    def output_size(self) -> Sizes:
        return self.geometry.output_size

    @functools.cached_property
    def inputs(self) -> int:
        """How many numbers the input has."""
        return self.batch * self.in_channels * math.prod(self.geometry.size)

    @functools.cached_property
    def outputs(self) -> int:
        return self.batch * self.out_channels * math.prod(self.output_size)

    @functools.cached_property
    def products(self) -> int:
        """How many products of two numbers a convolution sums up."""
        return self.outputs * self.in_channels // self.geometry.groups * self.geometry.window.places


def is_plain(tensors: Sequence[Tensor]) -> bool:
    """Whether a kernel that torch does not know may read and write these tensors' memory."""
    if torch.compiler.is_compiling() or _get_current_dispatch_mode() is not None:
        return False
    return all(
        type(t) in (Tensor, nn.Parameter) and not torch._C._functorch.is_functorch_wrapped_tensor(t) for t in tensors
    )


def is_autocast(x: Tensor) -> bool:
    """Whether torch chooses the dtype of convolutions of x."""
    device = x.device.type
    return _has_autocast(device) and torch.is_autocast_enabled(device)


_has_autocast = functools.cache(torch.amp.is_autocast_available)


def _channels(operation: str, geometry: Geometry, tensors: list[Tensor]) -> tuple[int, int, Tensor]:
    match operation:
        case "forward":
            x, w = tensors[:2]
            return x.shape[1], w.shape[0], x
        case "grad_input":
            w, g = tensors
            return w.shape[1] * geometry.groups, w.shape[0], g
        case _:
            x, g = tensors
            return x.shape[1], g.shape[1], x
