"""The proofs. Each gives the worst error that it found, and the largest error that rounding explains.

exact        On inputs of -1, 0 and 1 every sum is exact in every dtype, so each kernel must give the reference's output
             and gradients bit for bit. (Averages divide: their errors are multiples of every divisor.)
identity     <g, f(x)> = <gradient of x, x> wherever f is linear in x; for a convolution this is
             <g, forward(x, w)> = <grad_input(w, g), x> = <grad_weight(x, g), w>. Max pooling is linear once the winners
             are known. The error is relative to the same form of the absolute values, which bounds its rounding.
calls        Gradients are the same if the backward pass is called again, after other calls of its layer, for one input
             alone, and with a gradient that comes in parts or is laid out in another order, which it leaves as it is.
differences  First derivatives against finite differences by each number or, if there are many, along random directions;
             second derivatives, those of the backward pass, along random directions.
autograd     Output and gradients against those of torch's own operators and their autograd, computed in float64.
winners      With ties, NaN and infinities the same samples win as in torch, and each output has exactly one winner.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sigconv import functional as ours
from sigconv import planner
from sigconv.verification.cases import BATCH, CHANNELS, MAX_POOL_WINDOWS, RANKS, SIZE, Case
from sigconv.verification.differences import Backward, first_errors, second_errors
from sigconv.verification.forms import (
    Function,
    cotangent,
    dot,
    largest_difference,
    output_and_gradients,
    sizes_of,
    whole,
)

MEANING = {
    "exact": "equal to the definition on whole numbers, whose sums are exact",
    "identity": "<g, forward(x, w)> = <grad_input(w, g), x> = <grad_weight(x, g), w>, or pooling's like it",
    "calls": "the same gradients however, and after whatever, the backward pass is called",
    "differences": "first and second derivatives against finite differences",
    "autograd": "output and gradients against those of another implementation, by torch's autograd",
    "winners": "ties, NaN, and one winner for each window",
}
"""The proofs, in the order in which they are shown."""

STEP = 0.25
"""The step of the finite differences. Inputs are distinct whole numbers: within the step no winner changes, and along
each direction every operation is a polynomial of degree two at most, whose central differences are exact."""

SMALL_STEP = 1e-5
"""The step for other functions, which are compared to six digits; the error shown is scaled accordingly."""


@dataclass(frozen=True)
class Proof:
    """``worst`` names the case in which the worst error was found."""

    name: str
    error: float
    bound: float
    worst: str = ""

    @property
    def holds(self) -> bool:
        return self.error <= self.bound  # NaN does not hold


def worst_of(name: str, bound: float, errors: dict[str, float]) -> Proof | None:
    """One proof from many cases, if there are any. NaN is worse than any number."""
    if not errors:
        return None
    worst = max(errors, key=lambda case: math.inf if math.isnan(errors[case]) else errors[case])
    return Proof(name, errors[worst], bound, worst)


def exact(cases: Sequence[Case], kernel: str, dtype: torch.dtype, device: torch.device) -> Proof | None:
    errors = {}
    rounds = not getattr(planner.KERNELS[kernel], "EXACT", True)
    for case in (case for case in cases if case.polynomial and not rounds):
        inputs = [whole(shape, device=device).to(dtype) for shape in case.shapes]
        with planner.use_kernel("reference"):
            expected = output_and_gradients(case.function, inputs, case.divisor)
        with planner.use_kernel(kernel):
            found = output_and_gradients(case.function, inputs, case.divisor)
        errors[case.name] = max(largest_difference(f, e) for f, e in zip(found, expected, strict=True))
    return worst_of("exact", 0.0, errors)


def identity(cases: Sequence[Case], dtype: torch.dtype, device: torch.device) -> Proof | None:
    errors = {}
    for case in cases:
        inputs = [torch.randn(shape, device=device).to(dtype) for shape in case.shapes]
        y, *gradients = output_and_gradients(case.function, inputs)
        g = cotangent(y)
        form = dot(g, y)
        scale = dot(g.abs(), case.function(*(x.abs() for x in inputs)))
        by_operands = [sum(dot(gradients[i], inputs[i]) for i in group) for group in case.linear_in]
        errors[case.name] = max(abs(form - other) for other in by_operands) / scale
    return worst_of("identity", 4 * torch.finfo(dtype).eps, errors)


def autograd(cases: Sequence[Case], dtype: torch.dtype, device: torch.device) -> Proof | None:
    errors = {}
    for case in cases:
        draw = whole if case.winners_of_sums else torch.randn
        inputs = [draw(shape, device=device).to(dtype) for shape in case.shapes]
        # The same sums of absolute values: rounding is proportional to these, however much of a sum cancels.
        absolutes = output_and_gradients(case.torch_function, [x.double().abs() for x in inputs], absolute=True)
        scales = [x.max().item() for x in absolutes]
        errors[case.name] = max(disagreements(case.function, case.torch_function, inputs, scales))
    return worst_of("autograd", 4 * torch.finfo(dtype).eps, errors)


def disagreements(
    function: Function, oracle: Function, inputs: Sequence[Tensor], scales: Sequence[float] | None = None
) -> list[float]:
    """The largest difference of the output, and of each gradient, from the oracle's, which computes in float64.

    Each is relative to its scale or, without scales, to its own size, as by `sizes_of`.
    """
    found = output_and_gradients(function, inputs)
    expected = output_and_gradients(oracle, [x.double() for x in inputs])
    pairs = zip(found, expected, scales or sizes_of(expected), strict=True)
    return [largest_difference(f, e) / scale for f, e, scale in pairs]


def differences(cases: Sequence[Case], device: torch.device) -> Proof | None:
    errors: dict[str, float] = {}
    for case in cases:
        sizes = [math.prod(shape) for shape in case.shapes]
        inputs = [
            (torch.randperm(n, device=device).double() - n // 2 + beside).reshape(shape)
            for n, shape, beside in zip(sizes, case.shapes, case.beside, strict=False)
        ]
        step, bound = (STEP, 1e-12) if case.polynomial else (SMALL_STEP, 1e-6)
        names = [f"operand {n}" for n in range(len(inputs))]
        found = first_errors(case.function, inputs, step, bound, names)
        found |= second_errors(Backward.of(case.function, inputs, names), step, bound)
        errors |= {f"{case.name}, {what}{e.where}": e.size * (1e-12 / bound) for what, e in found.items()}
    return worst_of("differences", 1e-12, errors)


def winners(kernel: str, dtype: torch.dtype, device: torch.device) -> Proof | None:
    """The error counts outputs whose value or winner is not torch's, plus the differences of the input's gradient."""
    special = torch.tensor([-1.0, 0.0, 1.0, math.nan, math.inf, -math.inf], device=device).to(dtype)
    chance = torch.tensor([3.0, 3.0, 3.0, 0.3, 0.3, 3.0], device=device)
    errors = {}
    for ndim in RANKS:
        torch_max_pool = getattr(torch.nn.functional, f"max_pool{ndim}d")
        for options in MAX_POOL_WINDOWS:
            shape = (BATCH, CHANNELS, *SIZE[:ndim])
            x = special[torch.multinomial(chance, math.prod(shape), replacement=True)].reshape(shape).requires_grad_()
            with planner.use_kernel(kernel):
                found, winner = ours.max_pool(x, ndim=ndim, return_indices=True, **options)
                shares = torch.autograd.grad(found.sum(), x)[0].double()
            expected, expected_winner = torch_max_pool(x, return_indices=True, **options)
            same = (found == expected) | (found.isnan() & expected.isnan())
            wrong = (~same | (winner != expected_winner)).sum().item()
            won = torch.zeros(BATCH, CHANNELS, math.prod(SIZE[:ndim]), dtype=torch.float64, device=device)
            won.scatter_add_(2, expected_winner.flatten(2), torch.ones_like(expected, dtype=torch.float64).flatten(2))
            errors[f"{ndim}-D, {options}"] = wrong + (shares - won.reshape(shape)).abs().sum().item()
    return worst_of("winners", 0.0, errors)
