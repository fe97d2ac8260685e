"""Windows: where a kernel looks, along any number of axes.

All arithmetic on sizes lives here; its source is Dumoulin & Visin, "A guide to convolution arithmetic for deep
learning", 2016. Sizes are counted in samples of the axis that the window slides along.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from numbers import Integral
from typing import Any

import torch
from torch import Tensor

from sigconv.errors import UsageError

Sizes = tuple[int, ...]
PerAxis = int | Sequence[int]
"""One number for all axes, or one for each."""
AxisPadding = int | str | tuple[int, int]
Padding = AxisPadding | Sequence[AxisPadding]
"""A number, a (before, after) pair, "valid", "same" or "causal"; or one of these for each axis."""


@dataclass(frozen=True)
class Window:
    """A sliding window; every field has one entry per axis.

    ``padding`` holds (before, after) pairs. "same" and "causal" are turned into numbers by :meth:`parse`, so a window
    never depends on the size of its input.
    """

    kernel: Sizes
    stride: Sizes
    padding: tuple[tuple[int, int], ...]
    dilation: Sizes

    extent: Sizes = field(init=False, repr=False, compare=False)
    """Samples from the first to the last place of the window, dilation included."""
    least_size: Sizes = field(init=False, repr=False, compare=False)
    """The smallest input along each axis that a window fits into; at least 1."""
    even_padding: Sizes = field(init=False, repr=False, compare=False)
    """The padding common to both sides of each axis."""
    uneven_padding: tuple[tuple[int, int], ...] = field(init=False, repr=False, compare=False)
    """The rest of each side's padding, (before, after) for each axis."""
    _hash: int | None = field(init=False, repr=False, compare=False)

    @classmethod
    def parse(
        cls,
        kernel: PerAxis,
        stride: PerAxis = 1,
        padding: Padding = 0,
        dilation: PerAxis = 1,
        *,
        ndim: int | None = None,
        owner: object = "window",
    ) -> "Window":
        """Parse what a user wrote. ``ndim`` is needed where ``kernel`` is a single number.

        ``padding="same"`` puts output ``i`` in the middle of the window around input ``stride * i``, so the output
        has ``ceil(size / stride)`` places; ``"causal"`` lets it see input ``stride * i`` and earlier ones only.
        A sequence with an entry per axis is read axis by axis, as torch does; any other pair is (before, after).

        Raises UsageError (a ValueError) that starts with ``owner``.
        """
        if ndim is None:
            if not isinstance(kernel, Iterable):
                raise UsageError(f"{owner}: kernel size {kernel} fits any rank; give a tuple or say ndim=1, 2, 3, ...")
            ndim = len(kernel)
        if ndim < 1:
            raise UsageError(f"{owner}: kernel size {kernel} is for {ndim} spatial axes; there must be at least 1")
        sizes = per_axis(kernel, ndim, 1, "kernel size", owner)
        steps = per_axis(stride, ndim, 1, "stride", owner)
        dilations = per_axis(dilation, ndim, 1, "dilation", owner)
        extents = tuple(d * (k - 1) + 1 for k, d in zip(sizes, dilations, strict=True))
        return cls(sizes, steps, _parse_padding(padding, extents, owner), dilations)

    @property
    def ndim(self) -> int:
        return len(self.kernel)

    def __post_init__(self) -> None:
        extent = tuple(d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilation, strict=True))
        shared = tuple(min(pair) for pair in self.padding)
        derived = {
            "extent": extent,
            "least_size": tuple(max(1, e - sum(pair)) for e, pair in zip(extent, self.padding, strict=True)),
            "even_padding": shared,
            "uneven_padding": tuple((b - p, a - p) for p, (b, a) in zip(shared, self.padding, strict=True)),
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)
        try:
            kept = hash((self.kernel, self.stride, self.padding, self.dilation))
        except TypeError:  # symbolic sizes
            kept = None
        object.__setattr__(self, "_hash", kept)

    def __hash__(self) -> int:
        if self._hash is None:
            raise TypeError("a window whose padding follows from a symbol has no hash")
        return self._hash

    @property
    def places(self) -> int:
        """How many samples one window looks at."""
        return math.prod(self.kernel)

    @property
    def is_padded(self) -> bool:
        return any(map(any, self.padding))

    @property
    def is_padded_unevenly(self) -> bool:
        """Whether any axis has more padding on one side than on the other."""
        return any(map(any, self.uneven_padding))

    def offsets(self) -> Iterator[Sizes]:
        """The places of the window in row-major order."""
        return product(*map(range, self.kernel))

    def output_size(self, size: Sizes) -> Sizes:
        """How many windows fit along each axis of an input of ``size``; 0 or less where none does."""
        return tuple(
            (n + before + after - e) // s + 1
            for n, (before, after), e, s in zip(size, self.padding, self.extent, self.stride, strict=True)
        )

    def input_size(self, output_size: Sizes) -> Sizes:
        """The smallest input that gives ``output_size``; up to ``stride - 1`` more samples give the same."""
        return tuple(
            (m - 1) * s + e - before - after
            for m, (before, after), e, s in zip(output_size, self.padding, self.extent, self.stride, strict=True)
        )

    def samples(self, offset: Sizes, output_size: Sizes) -> tuple[slice, ...]:
        """An index to the samples that all windows see at ``offset``, for a padded input (batch, channel, ...)."""
        return (
            slice(None),
            slice(None),
            *(
                slice(d * k, d * k + s * (m - 1) + 1, s)
                for k, d, s, m in zip(offset, self.dilation, self.stride, output_size, strict=True)
            ),
        )

    def places_before(self, bounds: Sizes, output_size: Sizes, device: torch.device) -> list[Tensor]:
        """For each axis: how many places of each window along it come before sample ``bound`` of the padded input.

        int64 tensors that broadcast against the output's spatial shape.
        """
        counts = []
        for axis, (bound, m) in enumerate(zip(bounds, output_size, strict=True)):
            first = torch.arange(m, device=device) * self.stride[axis]
            count = (-((first - bound) // self.dilation[axis])).clamp(0, self.kernel[axis])
            counts.append(count.reshape(-1, *[1] * (self.ndim - 1 - axis)))
        return counts

    def blind_axis(self, size: Sizes) -> int | None:
        """The first axis with a window that sees nothing but padding, if there is one."""
        for axis, m in enumerate(self.output_size(size)):
            before, end = self.padding[axis][0], self.padding[axis][0] + size[axis]
            last = (m - 1) * self.stride[axis]
            starts: Iterable[int] = (0, last)
            if size[axis] < self.dilation[axis]:  # windows between the two may step over all of the input
                starts = range(0, last + 1, self.stride[axis])
            if any(self._is_blind(axis, start, before, end) for start in starts):
                return axis
        return None

    def _is_blind(self, axis: int, start: int, before: int, end: int) -> bool:
        """Whether no place of the window at ``start`` lies from ``before`` up to, but not including, ``end``."""
        place = max(0, -((start - before) // self.dilation[axis]))
        return place >= self.kernel[axis] or start + place * self.dilation[axis] >= end

    def grown_to_ceil(self, size: Sizes) -> "Window":
        """The window with enough trailing padding for a last, partial window to fit, as ``ceil_mode`` asks.

        As in torch, a window that would start in the trailing padding is left out.
        """
        padding = []
        for n, e, s, (before, after) in zip(size, self.extent, self.stride, self.padding, strict=True):
            last = -(-(n + before + after - e) // s)
            if last * s >= n + before:
                last -= 1
            padding.append((before, max(after, last * s + e - n - before)))
        return replace(self, padding=tuple(padding))

    def without_padding(self, axes: Sequence[int] | None = None) -> "Window":
        """The window for an input whose ``axes`` (all, if None) are already padded."""
        kept = [(0, 0) if axes is None or axis in axes else pair for axis, pair in enumerate(self.padding)]
        return replace(self, padding=tuple(kept))


def per_axis(value: PerAxis, ndim: int, least: int, what: str, owner: object) -> Sizes:
    """``value`` as ``ndim`` integers, none below ``least``."""
    values: tuple[Any, ...] = tuple(value) if isinstance(value, Iterable) else (value,)
    if len(values) == 1:
        values *= ndim
    if len(values) != ndim:
        raise UsageError(f"{owner}: {what} has {len(values)} entries {values} for {ndim} spatial axes")
    for axis, number in enumerate(values):
        if isinstance(number, bool) or not isinstance(number, Integral):
            raise UsageError(f"{owner}: {what} on spatial axis {axis} is {number!r}, not a whole number")
        if number < least:
            raise UsageError(f"{owner}: {what} on spatial axis {axis} is {number}; it must be at least {least}")
    return tuple(map(int, values))


def _parse_padding(padding: Padding, extents: Sizes, owner: object) -> tuple[tuple[int, int], ...]:
    axes = _by_axis(padding, len(extents), owner)
    return tuple(_axis_padding(p, e, axis, owner) for axis, (p, e) in enumerate(zip(axes, extents, strict=True)))


def _by_axis(padding: Padding, ndim: int, owner: object) -> tuple[AxisPadding, ...]:
    """``padding`` as an entry for each axis, whatever is in them."""
    if isinstance(padding, str) or not isinstance(padding, Sequence):
        return (padding,) * ndim
    if len(padding) in (1, ndim):
        return tuple(padding) * (ndim // len(padding))
    if len(padding) == 2:
        return (tuple(padding),) * ndim  # type: ignore[return-value]
    raise UsageError(f"{owner}: padding has {len(padding)} entries {padding!r} for {ndim} spatial axes")


def _axis_padding(padding: AxisPadding, extent: int, axis: int, owner: object) -> tuple[int, int]:
    named = {"valid": (0, 0), "same": ((extent - 1) // 2, extent // 2), "causal": (extent - 1, 0)}
    if isinstance(padding, str):
        if padding not in named:
            raise UsageError(f"{owner}: padding {padding!r} on spatial axis {axis}; the words are {', '.join(named)}")
        return named[padding]
    pair: tuple[Any, ...] = tuple(padding) if isinstance(padding, Sequence) else (padding, padding)
    if len(pair) != 2 or not all(isinstance(p, Integral) and not isinstance(p, bool) for p in pair):
        raise UsageError(f"{owner}: padding {padding!r} on spatial axis {axis} is not a number, pair or word")
    if min(pair) < 0:
        raise UsageError(f"{owner}: padding on spatial axis {axis} is {min(pair)}; it must be at least 0")
    return int(pair[0]), int(pair[1])


def padding_of(padding: Padding, ndim: int, *, causal: bool) -> tuple[AxisPadding, ...]:
    """The padding of each of ``ndim`` axes: as given, but "causal" along the first if ``causal``."""
    first, *others = _by_axis(padding, ndim, "network")
    return ("causal" if causal else first, *others)
