"""First and second derivatives against central differences."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from sigconv.errors import first_line
from sigconv.verification.forms import Function, dot, drawn_like, gradient_of, largest

ROUNDING = 64
"""By how many units in the last place an output may be off whose difference is taken; of many, the sum by more."""

LOST = 1e-3
"""Where rounding may exceed this share of a gradient, a difference says nothing about it. Gradients may legitimately be
this small relative to the largest: normalisation cancels almost all of what scales its input."""

MANY_NUMBERS = 500
"""If all inputs together have more, they are varied along random directions, not by each number of them by itself."""

DIRECTIONS = 3


@dataclass(frozen=True)
class Allowed:
    """How much a derivative may differ from its difference."""

    absolute: float
    relative: float

    @classmethod
    def of(cls, x: Tensor, derivative: float, y: Tensor, step: float, bound: float) -> "Allowed":
        """For derivatives of about this size by x of an output y."""
        rounding = rounding_of(y, step)
        return cls(bound * derivative + rounding * largest(y), bound + rounding * largest(x))

    def share(self, error: float, of: float) -> float:
        """The error as a share of what is allowed for a number ``of`` this size."""
        most = self.absolute + self.relative * abs(of)
        return error / most if most else (math.inf if error else 0.0)


class Error(NamedTuple):
    """The largest error of a derivative, and in words where it is, with both numbers."""

    size: float
    where: str


def first_errors(
    function: Function,
    inputs: Sequence[Tensor],
    step: float,
    bound: float,
    names: Sequence[str],
    *,
    part: int = 1,
    together: bool = False,
) -> dict[str, Error]:
    """How far derivatives by each input are from central differences, as a share of what is allowed, times the bound.

    What is allowed is, for each of the named inputs, the bound times its own largest derivative, since those of others
    may be much larger, plus the effect of rounding inputs and output. Compared are the derivatives of one random linear
    form of the output: by each number of the inputs or, if these have many, along random directions, where one number
    counts little, and as much less is allowed; if these tell of a mistake, it is looked for among the numbers of an
    input that has not many.

    Args:
        part: differences are over the step divided by this; rounding is allowed for as over the whole step, since
            otherwise the loosest comparison would be the one that holds.
        together: whether the output is of many gradients, some much smaller than others, which are compared along
            random directions by what is usual among all.
    """
    leaves = [x.detach() for x in inputs]
    singly = not together and sum(x.numel() for x in leaves) <= MANY_NUMBERS
    y = function(*leaves).detach()
    g = drawn_like(y)
    found: dict[str, Error] = {}
    for place, (x, name) in enumerate(zip(leaves, names, strict=True)):
        along = partial(by_one, function, leaves, place)
        gradient = gradient_of(along, x, g)
        if not gradient.isfinite().all():
            found[f"by {name}"] = Error(math.inf, ", which are not finite")
            continue
        comparison = _Comparison(along, x, gradient, y, g, step, part, bound)
        worst = comparison.by_each_number() if singly else comparison.in_directions(together)
        if not worst.size <= bound and not singly and x.numel() <= MANY_NUMBERS:
            located = comparison.by_each_number()
            worst = worst if located.size <= bound else located
        found[f"by {name}"] = Error(worst.size, "") if worst.size <= bound else worst
    return found


@dataclass(frozen=True)
class _Comparison:
    """The gradient by x of the linear form g of a function of x, and differences of that function."""

    along: Function
    x: Tensor
    gradient: Tensor
    y: Tensor
    g: Tensor
    step: float
    part: int
    bound: float

    def by_each_number(self) -> Error:
        return self._worst(_each_number(self.x), largest(self.gradient), self.bound)

    def in_directions(self, together: bool) -> Error:
        """In random directions, whose slopes are about as large as the root of the mean square of the gradient."""
        root = math.sqrt(self.x.numel())
        changes = ((drawn_like(self.x) / root, " in a random direction") for _ in range(DIRECTIONS))
        if together:
            return self._worst(changes, self.gradient.norm().item() / root, self.bound)
        return self._worst(changes, largest(self.gradient), self.bound / root)

    def _worst(self, changes: Iterable[tuple[Tensor, str]], derivative: float, bound: float) -> Error:
        """The largest error along these changes of x, which are also told in words."""
        allowed, worst = Allowed.of(self.x, derivative, self.y, self.step, bound), Error(0.0, "")
        for change, at in changes:
            slope, given = self._slope(change), dot(self.gradient, change)
            size = self.bound * allowed.share(abs(slope - given), slope)
            if not size <= worst.size:  # NaN is worse than any number
                worst = Error(size, f"{at}, where the backward pass gives {given:.6g} and differences {slope:.6g}")
        return worst

    def _slope(self, change: Tensor) -> float:
        step = self.step / self.part
        beyond, before = self.along(self.x + step * change), self.along(self.x - step * change)
        return dot(self.g, (beyond - before).detach() / (2 * step))


class Backward(NamedTuple):
    """The backward pass of a function as a function itself, of the inputs and the gradient that comes in."""

    function: Function
    operands: list[Tensor]
    names: list[str]

    @classmethod
    def of(cls, function: Function, inputs: Sequence[Tensor], names: Sequence[str]) -> "Backward":
        def backward(*operands: Tensor) -> Tensor:
            *leaves, g = (x if x.requires_grad else x.clone().requires_grad_() for x in operands)
            gradients = torch.autograd.grad(function(*leaves), leaves, g, create_graph=True, materialize_grads=True)
            return torch.cat([gradient.flatten() for gradient in gradients])

        g = drawn_like(function(*inputs).detach())
        return cls(backward, [*inputs, g], [*names, "the incoming gradient"])


def second_errors(backward: Backward, step: float, bound: float, *, part: int = 1) -> dict[str, Error]:
    """The same for second derivatives, of all gradients together."""
    function, operands, names = backward
    found = first_errors(function, operands, step, bound, names, part=part, together=True)
    return {f"second {what}": error for what, error in found.items()}


def why_not_twice(backward: Backward) -> str | None:
    """Why the backward pass itself cannot be differentiated, as some are not made to be; None if it can be."""
    varied = [x.detach().clone().requires_grad_() for x in backward.operands]
    try:
        gradients = backward.function(*varied)
        second = torch.autograd.grad(gradients.sum(), varied, allow_unused=True) if gradients.requires_grad else ()
    except Exception as error:  # what a user's backward pass raises
        return first_line(error)
    seen = any(derivative is not None for derivative in second)  # there is one by g, if by nothing else
    return None if seen else "autograd does not see it: NumPy, or once_differentiable"


def rounding_of(y: Tensor, step: float) -> float:
    """The largest effect of rounding on a difference, as a share of the largest number."""
    return max(ROUNDING, 4 * math.sqrt(y.numel())) * torch.finfo(y.dtype).eps / step


def by_one(function: Function, operands: Sequence[Tensor], place: int, x: Tensor) -> Tensor:
    """The function of one operand, the others being as they are."""
    return function(*operands[:place], x, *operands[place + 1 :])


def _each_number(x: Tensor) -> Iterator[tuple[Tensor, str]]:
    """Changes of x by a single number, and its place in words."""
    for place in range(x.numel()):
        change = x.new_zeros(x.numel())
        change[place] = 1
        at = [int(i) for i in torch.unravel_index(torch.tensor(place), x.shape)]
        yield change.reshape(x.shape), f" at {at}" if at else ""
