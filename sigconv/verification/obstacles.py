"""Why differences may tell nothing of a function's derivatives at the given numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from itertools import chain
from typing import NamedTuple

from torch import Tensor

from sigconv.verification.differences import LOST, by_one, rounding_of
from sigconv.verification.forms import Function, dot, drawn_like, largest, output_and_gradients


class _Pair(NamedTuple):
    """What slopes over a step and over an eighth of it tell of a function along a direction.

    Attributes:
        growth: of the gap between the slopes behind and before the point.
        has_gap: whether it is more than rounding explains, over both.
        differs: whether the slopes in the middle differ by more than the bound and rounding explain.
    """

    is_finite: bool
    growth: float
    has_gap: bool
    differs: bool

    @classmethod
    def of(
        cls, along: Function, x: Tensor, y: Tensor, g: Tensor, direction: Tensor, step: float, bound: float
    ) -> _Pair:
        steps = step, step / 8
        slopes = [(dot(g, along(x + h * direction) - y) / h, dot(g, y - along(x - h * direction)) / h) for h in steps]
        (wide, narrow), (w, n) = [abs(a - b) for a, b in slopes], [(a + b) / 2 for a, b in slopes]
        size, rounding = max(map(abs, chain(*slopes))), rounding_of(y, step / 8) * largest(y)
        return cls(
            is_finite=all(map(math.isfinite, chain(*slopes))),
            growth=narrow / wide if wide else math.inf,
            has_gap=min(wide, narrow) > LOST * size + rounding,
            differs=abs(w - n) > bound * size + rounding,
        )


def obstacle(
    function: Function, inputs: Sequence[Tensor], names: Sequence[str], steps: Sequence[float], bound: float
) -> str | None:
    """What keeps differences over these steps, the last being the shortest, from agreeing with derivatives, in words.

    None if nothing does. Where a step is shortened, the gap between the slopes behind and before a point stays the same
    if there are two slopes, grows if it is rounding, and shrinks if the function is smooth.
    """
    leaves = [x.detach() for x in inputs]
    y = function(*leaves).detach()
    g = drawn_like(y)
    for place, (x, name) in enumerate(zip(leaves, names, strict=True)):
        along, direction = partial(by_one, function, leaves, place), drawn_like(x)
        pairs = [_Pair.of(along, x, y, g, direction, step, bound) for step in steps]
        last = pairs[-1]
        if not last.is_finite:
            return f"gives NaN or infinity within {steps[-1]:.1g} of {name}; take others, or a smaller step"
        if any(pair.growth >= 2 and (pair.has_gap or pair.differs) for pair in pairs if pair.is_finite):
            return (
                f"rounds more coarsely than float64 does, which hides its derivatives by {name}; let it compute in the "
                "dtype of its input, and take numbers nearer to 0"
            )
        if last.has_gap and last.growth > 0.5:
            return (
                f"has no derivative by {name} at these numbers, but two slopes, as a maximum of equal numbers and "
                "ReLU at 0 have; take others, such as torch.randn gives"
            )
        if last.differs:
            return (
                f"changes so fast with {name} at these numbers that differences over {steps[-1]:.1g} of it tell "
                "nothing; take others, or a smaller step"
            )
    return None


def lost_in_rounding(function: Function, inputs: Sequence[Tensor], step: float, names: Sequence[str]) -> str | None:
    """The input whose gradient is so small relative to the output that differences say nothing about it, though it is
    not small relative to other gradients, or is 0 though the input matters; None if there is none."""
    y, *gradients = output_and_gradients(function, inputs)
    rounding = rounding_of(y, step) * largest(y)
    sizes = [largest(gradient) for gradient in gradients]
    for place, (x, name, size) in enumerate(zip(inputs, names, sizes, strict=True)):
        if LOST * max(sizes) < size < rounding / LOST:
            return name
        if not size and _matters(partial(by_one, function, inputs, place), x, y, rounding):
            return name
    return None


def _matters(along: Function, x: Tensor, y: Tensor, rounding: float) -> bool:
    """Whether the output changes with x, though by so little that differences over a step would not show it."""
    change = largest(along(2 * x) - y)
    return rounding_of(y, 1) * largest(y) < change < rounding * largest(x) / LOST
