"""What a kernel is asked to compute: all that its choice can depend on, without the values themselves."""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.utils._python_dispatch import _get_current_dispatch_mode

from sigconv.geometry import Geometry
from sigconv.layout import has_channels_last, is_batched
from sigconv.remembered import remembered
from sigconv.window import Sizes

NO_WINNER = 255
"""The place that stands for a window without a winner, where winners are uint8."""

CONVOLUTION = ("forward", "grad_input", "grad_weight")

STATISTICS = ("moments", "scaled", "normalise", "grad_normalise")

MAX_POOLING = (
    "max_pool",
    "rectified_max_pool",
    "normalised_max_pool",
    "grad_normalised_max_pool",
    "route",
    "error_sums",
)
"""Operations of max pooling, including those fused with it."""

OF_WINNERS = "_of_winners"
"""Suffix of grad_input and grad_weight: from a pooled map's gradient and winners, with a PooledGeometry."""


class Form(NamedTuple):
    """All of a tensor but its values."""

    shape: Sizes
    strides: Sizes
    dtype: torch.dtype
    device: str


@dataclass(frozen=True)
class Problem:
    """An operation and the form of its operands.

    ``in_channels`` and ``out_channels`` are the convolution's, whatever the operation; for pooling they are equal.
    ``plain`` is False for tensors whose memory is not accessible: under a transform, while compiling, or of a subclass.
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
    def of(cls, operation: str, geometry: Geometry, operands: tuple[Tensor | None, ...]) -> "Problem":
        """The problem for operands in the order x, w, g (convolution) or in that of the kernels' functions."""
        tensors = [t for t in operands if t is not None]
        # torch.compile cannot close a generator here.
        forms = tuple([Form(t.shape, t.stride(), t.dtype, t.device.type) for t in tensors])
        plain = is_plain(tensors) and not any(map(is_batched, tensors))
        return _problem(operation, geometry, forms, plain)

    def __hash__(self) -> int:
        return self._hash

    @functools.cached_property
    def _hash(self) -> int:
        return hash((self.operation, self.geometry, self.batch, self.in_channels, self.out_channels, self.dtype))

    @property
    def depthwise(self) -> bool:
        """Whether each channel is convolved by itself, to one map or several."""
        return self.geometry.groups == self.in_channels

    @property
    def output_size(self) -> Sizes:
        return self.geometry.output_size

    @functools.cached_property
    def inputs(self) -> int:
        """The number of elements of the input."""
        return self.batch * self.in_channels * math.prod(self.geometry.size)

    @functools.cached_property
    def outputs(self) -> int:
        return self.batch * self.out_channels * math.prod(self.output_size)

    @functools.cached_property
    def products(self) -> int:
        """How many products of two numbers a convolution sums up."""
        return self.outputs * self.in_channels // self.geometry.groups * self.geometry.window.places


@remembered
def _problem(operation: str, geometry: Geometry, forms: tuple[Form, ...], plain: bool) -> Problem:
    signals = [form for form in forms if form.dtype.is_floating_point]
    winners = [form.dtype for form in forms if not form.dtype.is_floating_point]
    in_channels, out_channels, signal = _channels(operation.removesuffix(OF_WINNERS), geometry, signals)
    return Problem(
        operation,
        geometry,
        signal.shape[0],
        in_channels,
        out_channels,
        signal.dtype,
        signal.device,
        has_channels_last(signal.shape, signal.strides),
        plain,
        winners[0] if winners else None,
    )


_PLAIN = (Tensor, nn.Parameter)


def is_plain(tensors: Sequence[Tensor]) -> bool:
    """Whether a kernel that torch does not know may read and write these tensors' memory.

    Under a transform none are: one that is not wrapped itself may meet another that is, such as a bias.
    """
    if is_traced() or torch._C._are_functorch_transforms_active() or _get_current_dispatch_mode() is not None:
        return False
    for t in tensors:  # noqa: SIM110 (all() takes as long as all else here)
        if type(t) not in _PLAIN:
            return False
    return True


def is_forward_mode() -> bool:
    """Whether forward-mode differentiation is active; not all functions here support it."""
    return forward_ad._current_level >= 0


def is_traced() -> bool:
    """Whether a compiler, tracer or exporter is recording; these handle torch's own operations best."""
    return torch.compiler.is_compiling() or torch._C._is_tracing()


def is_autocast(x: Tensor) -> bool:
    """Whether autocast sets the dtype of convolutions of x."""
    if not torch._C._is_any_autocast_enabled():
        return False
    device = x.device.type
    return _has_autocast(device) and torch.is_autocast_enabled(device)


def autocast_dtype(x: Tensor) -> torch.dtype:
    """The dtype in which autocast computes convolutions of x; it leaves float64 alone."""
    return x.dtype if x.dtype == torch.float64 else torch.get_autocast_dtype(x.device.type)


_has_autocast = functools.cache(torch.amp.is_autocast_available)


def _channels(operation: str, geometry: Geometry, signals: list[Form]) -> tuple[int, int, Form]:
    """The channels of the convolution, or of the pooled signal; and the signal that the choice depends on."""
    match operation, signals:
        case "forward", (x, w):
            return x.shape[1], w.shape[0], x
        case "grad_input", (w, g):
            return w.shape[1] * geometry.groups, w.shape[0], g
        case "grad_weight", (x, g):
            return x.shape[1], g.shape[1], x
        case _:
            return signals[0].shape[1], signals[0].shape[1], signals[0]
