"""Derivatives against finite differences, by torch's gradcheck and gradgradcheck."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from sigconv.errors import first_line
from sigconv.verification.forms import Function, cotangent, dot, largest, output_and_gradients

ROUNDING = 64
"""By how many units in the last place an output may be off whose difference is taken."""

TINY = 1e-6
"""Gradients below this share of the largest may be nothing but the rounding of a zero."""

LOST = 1e-3
"""Where rounding may exceed this share of a gradient, a difference says nothing about it. Gradients may legitimately be
this small relative to the largest: normalisation cancels almost all of what scales its input."""

MANY_NUMBERS = 500


@dataclass(frozen=True)
class Allowed:
    """gradcheck's tolerances: how much a derivative may differ from its difference, and from that of another call."""

    atol: float
    rtol: float
    nondet_tol: float

    @classmethod
    def of(cls, x: Tensor, gradient: Tensor, y: Tensor, step: float, bound: float) -> Allowed:
        rounding = _rounding(y, step)
        atol = bound * largest(gradient) + rounding * largest(y)
        # The order of torch's and cuDNN's float64 sums differs from one call to the next.
        return cls(atol, bound + rounding * largest(x), atol if y.is_cuda else 0.0)

    def share(self, error: float, of: float) -> float:
        """The error as a share of what is allowed for a number ``of`` this size."""
        most = self.atol + self.rtol * abs(of)
        return error / most if most else (math.inf if error else 0.0)


def difference_errors(
    function: Function, inputs: Sequence[Tensor], step: float, bound: float, names: Sequence[str]
) -> dict[str, float]:
    """How far the first derivatives are from central differences, as a share of what is allowed, times the bound.

    What is allowed is, for each of the named inputs, the bound times its own largest derivative, since those of others
    may be much larger, plus the effect of rounding inputs and output. The result is the error along one random
    direction; gradcheck tries every coordinate, or random directions where there are many. Where it objects, the result
    is that of the worst coordinate, which is named with both numbers.
    """
    leaves = [x.detach().clone() for x in inputs]
    y, *gradients = output_and_gradients(function, leaves)
    found: dict[str, float] = {}
    many = sum(x.numel() for x in leaves) > MANY_NUMBERS
    for place, (x, gradient, name) in enumerate(zip(leaves, gradients, names, strict=True)):
        if not gradient.isfinite().all():
            found[f"by {name}, which are not finite"] = math.inf
            continue
        along = partial(_by_one, function, leaves, place)
        allowed = Allowed.of(x, gradient, y, step, bound)
        leaf = (x.clone().requires_grad_(),)
        agreed = gradcheck(along, leaf, eps=step, fast_mode=many, raise_exception=False, **vars(allowed))
        share, where = _along_one_direction(along, x, gradient, y, step, allowed)
        if not agreed and not many:
            share, where = _worst_coordinate(along, x, y, step, allowed)
        if not (agreed or share > 1):
            share = math.inf  # gradcheck objects to something not measured here
        found[f"by {name}{where if share > 1 else ''}"] = bound * share
    return found


def second_derivatives_agree(function: Function, inputs: Sequence[Tensor], step: float, bound: float) -> bool:
    """Whether second derivatives agree with finite differences of the first, by gradgradcheck."""
    leaves = [x.detach().clone() for x in inputs]
    y, *gradients = output_and_gradients(function, leaves)
    each = [Allowed.of(x, gradient, y, step, bound) for x, gradient in zip(leaves, gradients, strict=True)]
    widest = {name: max(getattr(allowed, name) for allowed in each) for name in vars(each[0])}
    varied = [x.requires_grad_() for x in leaves]
    return gradgradcheck(function, varied, eps=step, fast_mode=True, raise_exception=False, **widest)


def why_not_twice(function: Function, inputs: Sequence[Tensor]) -> str | None:
    """Why the backward pass itself cannot be differentiated, as some are not made to be; None if it can be."""
    varied = [x.detach().clone().requires_grad_() for x in inputs]
    y = function(*varied)
    g = cotangent(y).requires_grad_()
    try:
        gradients = torch.autograd.grad(y, varied, g, create_graph=True, materialize_grads=True)
        again = [gradient for gradient in gradients if gradient.requires_grad]
        ones = [torch.ones_like(gradient) for gradient in again]
        second = torch.autograd.grad(again, [*varied, g], ones, allow_unused=True) if again else ()
    except RuntimeError as error:  # NotImplementedError is one
        return first_line(error)
    seen = any(derivative is not None for derivative in second)  # there is one by g, if by nothing else
    return None if seen else "autograd does not see it: NumPy, or once_differentiable"


def kinked(function: Function, inputs: Sequence[Tensor], step: float, names: Sequence[str]) -> str | None:
    """The input along which the function has different slopes before and behind it, as a maximum of equal numbers and
    ReLU at 0 have: there is no derivative there to compare. None if there is none."""
    leaves = [x.detach() for x in inputs]
    y = function(*leaves).detach()
    g = torch.randn_like(y)
    for place, (x, name) in enumerate(zip(leaves, names, strict=True)):
        along, change = partial(_by_one, function, leaves, place), step * torch.randn_like(x)
        behind, before = (dot(g, along(x + change) - y) / step, dot(g, y - along(x - change)) / step)
        if abs(behind - before) > LOST * max(abs(behind), abs(before)) + _rounding(y, step) * largest(y):
            return name
    return None


def lost_in_rounding(function: Function, inputs: Sequence[Tensor], step: float, names: Sequence[str]) -> str | None:
    """The input whose gradient is so small relative to the output that differences say nothing about it, though it is
    not small relative to other gradients; None if there is none."""
    y, *gradients = output_and_gradients(function, inputs)
    rounding = _rounding(y, step) * largest(y)
    sizes = [largest(gradient) for gradient in gradients]
    for name, size in zip(names, sizes, strict=True):
        if LOST * max(sizes) < size < rounding / LOST:
            return name
    return None


def _rounding(y: Tensor, step: float) -> float:
    """The largest effect of rounding on a difference, as a share of the largest number."""
    return ROUNDING * torch.finfo(y.dtype).eps / step


def _along_one_direction(
    along: Function, x: Tensor, gradient: Tensor, y: Tensor, step: float, allowed: Allowed
) -> tuple[float, str]:
    """The error along a random direction, as a share of what is allowed, and both numbers in words."""
    direction = torch.randn_like(x) / math.sqrt(max(1, x.numel()))
    slope, given = dot(cotangent(y), _difference(along, x, step * direction, step)), dot(gradient, direction)
    return allowed.share(abs(slope - given), slope), f" in a random direction, {_both(given, slope)}"


def _worst_coordinate(along: Function, x: Tensor, y: Tensor, step: float, allowed: Allowed) -> tuple[float, str]:
    """The largest error over the coordinates of x, as a share of what is allowed, and where it is, in words."""
    g = torch.randn_like(y)
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(along(leaf), leaf, g, materialize_grads=True)
    steps = step * torch.eye(x.numel(), dtype=x.dtype, device=x.device).reshape(-1, *x.shape)
    slopes, given = [dot(g, _difference(along, x, one, step)) for one in steps], gradient.flatten().tolist()
    errors = [abs(slope - number) for slope, number in zip(slopes, given, strict=True)]
    worst = max(range(len(errors)), key=errors.__getitem__)
    at = [int(i) for i in torch.unravel_index(torch.tensor(worst), x.shape)]
    where = f" at {at}" if at else ""
    return allowed.share(errors[worst], slopes[worst]), f"{where}, {_both(given[worst], slopes[worst])}"


def _both(given: float, slope: float) -> str:
    return f"where the backward pass gives {given:.6g} and differences {slope:.6g}"


def _difference(along: Function, x: Tensor, change: Tensor, step: float) -> Tensor:
    return (along(x + change) - along(x - change)).detach() / (2 * step)


def _by_one(function: Function, operands: Sequence[Tensor], place: int, x: Tensor) -> Tensor:
    return function(*operands[:place], x, *operands[place + 1 :])
