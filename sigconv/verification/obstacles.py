"""Why differences may tell nothing of a function's derivatives at the given numbers."""

import math
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from torch import Tensor

from sigconv.errors import UsageError
from sigconv.verification.differences import LOST, by_one, rounding_of
from sigconv.verification.forms import Function, dot, drawn_like, gradient_of, largest

DIRECTIONS = 8
"""In some, equal numbers move alike, and do not show that there are two slopes."""

VAGUE = 0.1
"""The same as LOST for a gradient that is small relative to others, as behind a normalisation."""

TINY_STEP = 1e-10
"""Over which float64 still tells a slope roughly, and a function that rounds more coarsely does not."""


def obstacle(
    function: Function, inputs: Sequence[Tensor], names: Sequence[str], steps: Sequence[float], bound: float
) -> str | None:
    """What keeps differences over these steps, the last being the shortest, from agreeing with derivatives, in words.

    None if nothing does.
    """
    leaves = [x.detach() for x in inputs]
    y = function(*leaves).detach()
    for place, (x, name) in enumerate(zip(leaves, names, strict=True)):
        along = partial(by_one, function, leaves, place)
        found = [_Look.along(along, x, y, steps, bound) for _ in range(DIRECTIONS)]
        if not all(look.is_finite for look in found):
            return f"gives NaN or infinity within {steps[-1]:.1g} of {name}; take others, or a smaller step"
        if any(look.is_coarse for look in found):
            return (
                f"jumps with {name} at these numbers, or rounds more coarsely than float64, which hides derivatives; "
                "take others, such as torch.randn gives, and let it compute in the dtype of its input"
            )
        if any(look.has_two_slopes for look in found):
            return (
                f"has no derivative by {name} at these numbers, but two slopes, as a maximum of equal numbers and "
                "ReLU at 0 have; take others, such as torch.randn gives"
            )
        if any(look.changes_fast for look in found):
            return (
                f"changes so fast with {name} at these numbers that differences over {steps[-1]:.1g} of it tell "
                "nothing; take others, or a smaller step"
            )
    return None


class _Slopes(NamedTuple):
    """Of a function along a direction, over one step: behind and before a point."""

    behind: float
    before: float

    @property
    def gap(self) -> float:
        return abs(self.behind - self.before)

    @property
    def middle(self) -> float:
        return (self.behind + self.before) / 2


class _Look(NamedTuple):
    """What slopes over several steps tell of a function along a random direction."""

    is_finite: bool
    is_coarse: bool
    has_two_slopes: bool
    changes_fast: bool

    @classmethod
    def along(cls, along: Function, x: Tensor, y: Tensor, steps: Sequence[float], bound: float) -> "_Look":
        slopes = partial(_slopes, along, x, y, drawn_like(y), drawn_like(x))
        step = steps[-1]
        longest, wide, narrow, tiny = (slopes(h) for h in (steps[0], step, step / 8, TINY_STEP))
        size, rounding = max(map(abs, (*wide, *narrow))), _noise(y, step / 8)
        # The gap stays the same if there are two slopes, and shrinks with the step if there is one.
        gap = min(wide.gap, narrow.gap) > LOST * size + rounding and narrow.gap > wide.gap / 2
        return cls(
            is_finite=all(map(math.isfinite, (*wide, *narrow))),
            is_coarse=abs(tiny.middle - wide.middle) > size / 2 + _noise(y, TINY_STEP)
            or (not tiny.middle and abs(longest.middle) > _noise(y, TINY_STEP)),
            has_two_slopes=gap,
            changes_fast=abs(wide.middle - narrow.middle) > bound * size / 8 + rounding,
        )


def _slopes(along: Function, x: Tensor, y: Tensor, g: Tensor, direction: Tensor, step: float) -> _Slopes:
    change = step * direction
    return _Slopes(dot(g, along(x + change) - y) / step, dot(g, y - along(x - change)) / step)


def _noise(y: Tensor, step: float) -> float:
    """The largest effect of float64's rounding on a slope over this step."""
    return rounding_of(y, step) * largest(y)


def lost_in_rounding(function: Function, inputs: Sequence[Tensor], step: float, names: Sequence[str]) -> str | None:
    """The input whose gradient is so small relative to the output that differences say nothing about it, though it is
    not small relative to other gradients, or though the output depends on the input; None if there is none."""
    y = function(*inputs).detach()
    g, noise = drawn_like(y), _noise(y, step)
    alongs = [partial(by_one, function, inputs, place) for place in range(len(inputs))]
    sizes = [largest(gradient_of(along, x, g)) for along, x in zip(alongs, inputs, strict=True)]
    for along, x, size, name in zip(alongs, inputs, sizes, names, strict=True):
        if LOST * max(sizes) < size < noise / LOST or (size < noise / VAGUE and _matters(along, x, y, noise)):
            return name
    return None


def _matters(along: Function, x: Tensor, y: Tensor, noise: float) -> bool:
    """Whether the output changes with x, though by so little that differences over a step would not show it."""
    try:
        change = largest(along(2 * x) - y)
    except UsageError:  # it is not defined there
        return False
    return _noise(y, 1) < change < noise * largest(x) / LOST
