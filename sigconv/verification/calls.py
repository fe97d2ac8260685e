"""Whether a backward pass gives the same gradients however it is called."""

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

import torch
from torch import Tensor

from sigconv.errors import first_line
from sigconv.verification.differences import by_one
from sigconv.verification.forms import (
    Function,
    drawn_like,
    gradient_of,
    gradients_of,
    largest,
    largest_difference,
    sizes_of,
)


def errors_of_calls(function: Function, inputs: Sequence[Tensor], names: Sequence[str]) -> dict[str, float]:
    """How far gradients are from those of a first call, relative to the largest of each, by what is different then."""
    leaves = [x.detach().clone().requires_grad_() for x in inputs]
    y = function(*leaves)
    g = drawn_like(y)
    given = g.clone()
    first = [gradient.clone() for gradient in gradients_of(y, leaves, given)]  # the backward pass may change its own
    found = {"whose backward pass changes the gradient that it is given": largest_difference(given, g) / largest(g)}

    def compare(what: str, gradients: Callable[[], Sequence[Tensor]]) -> None:
        try:
            pairs = zip(gradients(), first, sizes_of(first), strict=True)
            found[what] = max(largest_difference(other, expected) / size for other, expected, size in pairs)
        except Exception as error:  # what a user's backward pass raises
            found[f"{what}, which raises {type(error).__name__} ({first_line(error)})"] = math.inf

    def backward(g: Tensor) -> list[Tensor]:
        return gradients_of(function(*leaves), leaves, g)

    def after_others() -> list[Tensor]:
        y = function(*leaves)
        _call_with_others(function, inputs)
        return gradients_of(y, leaves, g.clone())

    def in_parts() -> list[Tensor]:
        part = -4 * g * torch.randint_like(g, 2)  # zeros, other signs and sizes; powers of two are exact
        return [(a + b) / -4 for a, b in zip(backward(part), backward(-4 * g - part), strict=True)]

    def alone(place: int) -> list[Tensor]:
        gradient = gradient_of(partial(by_one, function, inputs, place), inputs[place], g.clone())
        return [*first[:place], gradient, *first[place + 1 :]]

    compare("when its backward pass is called again", lambda: gradients_of(y, leaves, g.clone()))
    compare("when it is called with other numbers before its backward pass", after_others)
    compare("when the incoming gradient comes in two parts", in_parts)
    compare("when the incoming gradient lies in memory in another order", lambda: backward(_in_another_order(g)))
    for place, name in enumerate(names):
        compare(f"when only {name} needs a gradient", partial(alone, place))
    return found


def _in_another_order(g: Tensor) -> Tensor:
    axes = tuple(reversed(range(g.ndim)))
    return g.permute(axes).contiguous().permute(axes)


def _call_with_others(function: Function, inputs: Sequence[Tensor]) -> None:
    """Calls the function with numbers of other signs in another order or, if it does not take these, similar ones."""
    try:
        function(*(-x.flip(tuple(range(x.ndim))) for x in inputs))
    except Exception:  # what a user's function raises
        with suppress(Exception):
            function(*(x * (1 - 1e-3 * torch.rand_like(x)) for x in inputs))
