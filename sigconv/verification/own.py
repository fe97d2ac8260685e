"""Prove the backward pass of a user's own layer or function."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sigconv.errors import UsageError
from sigconv.verification import proofs
from sigconv.verification.calls import errors_of_calls
from sigconv.verification.differences import Backward, Error, first_errors, second_errors, why_not_twice
from sigconv.verification.forms import Function
from sigconv.verification.obstacles import lost_in_rounding, obstacle
from sigconv.verification.report import Row, Verification
from sigconv.verification.target import Target, as_function, by_units, checked_output, name_of, telling, varied_tensors

PARTS = (1, 8, 64)
"""Differences of a function that changes fast agree with its derivatives only over a part of the step."""

SHORT = 1e-6
"""A step over which a smooth function is almost straight."""


def verify(
    target: Target,
    *inputs: Tensor,
    oracle: Target | None = None,
    step: float = 1e-6,
    tolerance: float = 1e-6,
) -> Verification:
    """Prove the backward pass of a user's own layer or function.

    >>> layer = sigconv.Conv2d(2, 3, 3)
    >>> assert sigconv.verify(layer, torch.randn(1, 2, 5, 5), oracle=torch.nn.Conv2d(2, 3, 3))

    First derivatives are compared with finite differences, and so are second ones where the backward pass can itself be
    differentiated; where it cannot (NumPy, ``once_differentiable``), the answer says so and covers only the first. The
    gradients must also be the same however, and after whatever, the backward pass is called.

    Args:
        target: a module, whose parameters are proved too, or a function; it takes tensors and returns one tensor. It
            may change its inputs in place.
        inputs: its arguments. Keep them small: up to 500 numbers of inputs and parameters are varied one by one, more
            in random directions, where a mistake has no place. All are used in float64; the module is left as it is.
        oracle: another implementation with equal outputs and gradients; a module gets the target's parameters and
            buffers.
        step: of the finite differences, times the largest number of an input where that is above 1. Where the target
            changes too fast for it, it is divided by 8, and by 64. Where the target is linear in each operand a step of
            1 is exact.
        tolerance: the relative error that step and rounding explain.

    Raises:
        UsageError: there is nothing to differentiate, or differences say nothing: the output is not a float64 tensor
            that depends on the inputs, is not finite, differs at each call, changes too fast, or is so large that its
            rounding hides the derivatives; there is no derivative, as of a maximum of equal numbers or ReLU at 0; or
            the oracle does not have the target's parameters or its output's shape.
    """
    name = name_of(target)
    for what, number in (("step", step), ("tolerance", tolerance)):
        if not 0 < number < math.inf:
            raise UsageError(f"verify: {what} is {number}; it is a number above 0")
    parameters = dict(target.named_parameters()) if isinstance(target, nn.Module) else {}
    varied = varied_tensors(name, inputs, parameters)
    names, tensors = list(varied), list(varied.values())
    function = telling(name, as_function(target, inputs, list(parameters)))
    # The seed fixes the random directions. Randomness in the target itself is found by calling it twice.
    with torch.enable_grad(), torch.random.fork_rng(_gpus(tensors)):
        torch.manual_seed(0)
        y = checked_output(name, function, tensors)
        unit_function, units = by_units(function, tensors)
        if (lost := lost_in_rounding(unit_function, units, step, names)) is not None:
            raise UsageError(
                f"verify: the gradient of {name} by {lost} is lost in the rounding of its output, so differences tell "
                "nothing of it: take smaller numbers, take a constant off the output, or give a larger step"
            )
        backward = Backward.of(unit_function, units, names)
        why = why_not_twice(backward)
        found = {
            "calls": errors_of_calls(function, tensors, names),
            "differences": _of_differences(
                name, unit_function, units, step, tolerance, names, backward if why is None else None
            ),
        }
        if oracle is not None:
            buffers = dict(target.named_buffers()) if isinstance(target, nn.Module) else {}
            other = telling(name_of(oracle), as_function(oracle, inputs, list(parameters), buffers))
            expected = checked_output(name_of(oracle), other, tensors)
            if y.shape != expected.shape:
                shapes = f"{name} gives {tuple(y.shape)}, and {name_of(oracle)} {tuple(expected.shape)}"
                raise UsageError(f"verify: {shapes}; an oracle gives the same")
            found["autograd"] = _disagreements(function, other, tensors, names)
    rows = [
        proofs.worst_of(proof, tolerance, {f"{name}, {w}": e for w, e in each.items()}) for proof, each in found.items()
    ]
    notes = [f"The derivatives are those by {', '.join(names)}."]
    if why is not None:
        notes.append(f"First derivatives alone: the backward pass of {name} cannot be differentiated ({why}).")
    return Verification((Row(name, "its own", "float64", str(y.device), tuple(filter(None, rows)), tuple(notes)),))


def _disagreements(
    function: Function, oracle: Function, tensors: Sequence[Tensor], names: Sequence[str]
) -> dict[str, float]:
    parts = ["output", *(f"gradient by {name}" for name in names)]
    errors = proofs.disagreements(function, oracle, tensors)
    return {f"whose {part} differs": error for part, error in zip(parts, errors, strict=True)}


def _of_differences(
    name: str,
    function: Function,
    tensors: Sequence[Tensor],
    step: float,
    tolerance: float,
    names: Sequence[str],
    backward: Backward | None,
) -> dict[str, float]:
    """The error of each derivative, by the step over which it is smallest; a wrong one is told as it is by ``step``.

    Second ones are among them if there is a ``backward`` pass that can be differentiated.

    Raise UsageError if it is not the derivatives that are wrong.
    """
    found: dict[str, list[Error]] = {}
    for part in PARTS:
        errors = first_errors(function, tensors, step, tolerance, names, part=part)
        if backward:
            errors |= second_errors(backward, step, tolerance, part=part)
        for what, error in errors.items():
            found.setdefault(what, []).append(error)
        wrong = [what for what, tried in found.items() if not any(error.size <= tolerance for error in tried)]
        if not wrong:
            break
    else:
        short = [min(step / part, SHORT) for part in PARTS]
        why = obstacle(function, tensors, names, short, tolerance)
        if why is None and backward and all(what.startswith("second") for what in wrong):
            why = obstacle(*backward, short, tolerance)
        if why is not None:
            raise UsageError(f"verify: {name} {why}")
    told = {what: tried[0] if what in wrong else min(tried) for what, tried in found.items()}
    return {f"derivatives {what}{error.where}": error.size for what, error in told.items()}


def _gpus(tensors: Sequence[Tensor]) -> list[torch.device]:
    return list({x.device for x in tensors if x.is_cuda})
