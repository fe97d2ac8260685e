"""First and second derivatives against central differences."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from sigconv.errors import first_line
from sigconv.verification.forms import Function, dot, drawn_like, gradient_of, largest

ROUNDING = 64
"""By how many units in the last place an output may be off whose difference is taken."""

LOST = 1e-3
"""Where rounding may exceed this share of a gradient, a difference says nothing about it. Gradients may legitimately be
this small relative to the largest: normalisation cancels almost all of what scales its input."""

MANY_NUMBERS = 500
"""With more, an input is varied along random directions, not each number of it by itself."""

DIRECTIONS = 3


@dataclass(frozen=True)
class Allowed:
    """How much a derivative may differ from its difference."""

    absolute: float
    relative: float

    @classmethod
    def of(cls, x: Tensor, gradient: Tensor, y: Tensor, step: float, bound: float) -> Allowed:
        rounding = rounding_of(y, step)
        return cls(bound * largest(gradient) + rounding * largest(y), bound + rounding * largest(x))

    def share(self, error: float, of: float) -> float:
        """The error as a share of what is allowed for a number ``of`` this size."""
        most = self.absolute + self.relative * abs(of)
        return error / most if most else (math.inf if error else 0.0)


class Error(NamedTuple):
    """The largest error of a derivative, and in words where it is, with both numbers."""

    size: float
    where: str


def first_errors(
    function: Function, inputs: Sequence[Tensor], step: float, bound: float, names: Sequence[str], singly: bool = True
) -> dict[str, Error]:
    """How far derivatives by each input are from central differences, as a share of what is allowed, times the bound.

    What is allowed is, for each of the named inputs, the bound times its own largest derivative, since those of others
    may be much larger, plus the effect of rounding inputs and output. Compared are the derivatives of one random linear
    form of the output: by each number of an input or, if it has many or is not to be varied ``singly``, along random
    directions.
    """
    leaves = [x.detach() for x in inputs]
    y = function(*leaves).detach()
    g = drawn_like(y)
    found: dict[str, Error] = {}
    for place, (x, name) in enumerate(zip(leaves, names, strict=True)):
        along = partial(by_one, function, leaves, place)
        gradient = gradient_of(along, x, g)
        if not gradient.isfinite().all():
            found[f"by {name}"] = Error(math.inf, ", which are not finite")
            continue
        allowed, worst = Allowed.of(x, gradient, y, step, bound), Error(0.0, "")
        for change, at in _changes(x, singly and x.numel() <= MANY_NUMBERS):
            slope, given = dot(g, _difference(along, x, change, step)), dot(gradient, change)
            size = bound * allowed.share(abs(slope - given), slope)
            if not size <= worst.size:  # NaN is worse than any number
                worst = Error(size, f"{at}, where the backward pass gives {given:.6g} and differences {slope:.6g}")
        found[f"by {name}"] = worst if not worst.size <= bound else Error(worst.size, "")
    return found


class Backward(NamedTuple):
    """The backward pass of a function as a function itself, of the inputs and the gradient that comes in."""

    function: Function
    operands: list[Tensor]
    names: list[str]

    @classmethod
    def of(cls, function: Function, inputs: Sequence[Tensor], names: Sequence[str]) -> Backward:
        def backward(*operands: Tensor) -> Tensor:
            *leaves, g = (x if x.requires_grad else x.clone().requires_grad_() for x in operands)
            gradients = torch.autograd.grad(function(*leaves), leaves, g, create_graph=True, materialize_grads=True)
            return torch.cat([gradient.flatten() for gradient in gradients])

        g = drawn_like(function(*inputs).detach())
        return cls(backward, [*inputs, g], [*names, "the incoming gradient"])


def second_errors(backward: Backward, step: float, bound: float) -> dict[str, Error]:
    """The same for second derivatives: those of all gradients together, along random directions.

    What is allowed is relative to the largest of them.
    """
    found = first_errors(backward.function, backward.operands, step, bound, backward.names, singly=False)
    return {f"second {what}": error for what, error in found.items()}


def why_not_twice(function: Function, inputs: Sequence[Tensor]) -> str | None:
    """Why the backward pass itself cannot be differentiated, as some are not made to be; None if it can be."""
    varied = [x.detach().clone().requires_grad_() for x in inputs]
    y = function(*varied)
    g = drawn_like(y).requires_grad_()
    try:
        gradients = torch.autograd.grad(y, varied, g, create_graph=True, materialize_grads=True)
        again = [gradient for gradient in gradients if gradient.requires_grad]
        ones = [torch.ones_like(gradient) for gradient in again]
        second = torch.autograd.grad(again, [*varied, g], ones, allow_unused=True) if again else ()
    except RuntimeError as error:  # NotImplementedError is one
        return first_line(error)
    seen = any(derivative is not None for derivative in second)  # there is one by g, if by nothing else
    return None if seen else "autograd does not see it: NumPy, or once_differentiable"


def rounding_of(y: Tensor, step: float) -> float:
    """The largest effect of rounding on a difference, as a share of the largest number."""
    return ROUNDING * torch.finfo(y.dtype).eps / step


def by_one(function: Function, operands: Sequence[Tensor], place: int, x: Tensor) -> Tensor:
    """The function of one operand, the others being as they are."""
    return function(*operands[:place], x, *operands[place + 1 :])


def _changes(x: Tensor, singly: bool) -> Iterator[tuple[Tensor, str]]:
    """Directions in which x is changed, with the place, if it is one number that changes."""
    if not singly:
        for _ in range(DIRECTIONS):
            yield drawn_like(x) / math.sqrt(x.numel()), " in a random direction"
        return
    for place in range(x.numel()):
        change = torch.zeros_like(x)
        change.view(-1)[place] = 1
        at = [int(i) for i in torch.unravel_index(torch.tensor(place), x.shape)]
        yield change, f" at {at}" if at else ""


def _difference(along: Function, x: Tensor, change: Tensor, step: float) -> Tensor:
    return (along(x + step * change) - along(x - step * change)).detach() / (2 * step)
