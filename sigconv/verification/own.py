"""Prove the backward pass of a user's own layer or function."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from sigconv.errors import UsageError, first_line
from sigconv.verification import proofs
from sigconv.verification.calls import errors_of_calls
from sigconv.verification.differences import Backward, Error, first_errors, second_errors, why_not_twice
from sigconv.verification.forms import Function, largest, largest_difference
from sigconv.verification.obstacles import lost_in_rounding, obstacle
from sigconv.verification.report import Row, Verification

PARTS = (1, 8, 64)
"""Differences of a function that changes fast agree with its derivatives only over a part of the step."""

SHORT = 1e-6
"""A step over which a smooth function is almost straight."""

ANOTHER = 1e-10
"""As a share of the largest number: if two calls' outputs differ by more, they are not a function of the inputs."""


def verify(
    target: nn.Module | Callable[..., Tensor],
    *inputs: Tensor,
    oracle: nn.Module | Callable[..., Tensor] | None = None,
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
        inputs: its arguments. Keep them small: each number in them is varied. They and the parameters are used in
            float64; the module itself is left as it is.
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
    name = _name(target)
    if isinstance(target, type) and issubclass(target, torch.autograd.Function):
        raise UsageError(f"verify: {name} is called by its apply; give {name}.apply")
    for what, number in (("step", step), ("tolerance", tolerance)):
        if not 0 < number < math.inf:
            raise UsageError(f"verify: {what} is {number}; it is a number above 0")
    parameters = dict(target.named_parameters()) if isinstance(target, nn.Module) else {}
    varied = _varied(name, inputs, parameters)
    names, tensors = list(varied), list(varied.values())
    function = _told(name, _as_function(target, inputs, list(parameters)))
    # The seed fixes the random directions. Randomness in the target itself is found by calling it twice.
    with torch.enable_grad(), torch.random.fork_rng(_gpus(tensors)):
        torch.manual_seed(0)
        y = _check_output(name, function, tensors)
        unit_function, units = _by_units(function, tensors)
        if (lost := lost_in_rounding(unit_function, units, step, names)) is not None:
            raise UsageError(
                f"verify: the gradient of {name} by {lost} is lost in the rounding of its output, so differences tell "
                "nothing of it: take smaller numbers, take a constant off the output, or give a larger step"
            )
        why = why_not_twice(function, tensors)
        found = {
            "calls": errors_of_calls(function, tensors, names),
            "differences": _of_differences(name, unit_function, units, step, tolerance, names, twice=why is None),
        }
        if oracle is not None:
            given = dict(target.named_buffers()) if isinstance(target, nn.Module) else {}
            other = _told(_name(oracle), _as_function(oracle, inputs, list(parameters), given))
            expected = _check_output(_name(oracle), other, tensors)
            if y.shape != expected.shape:
                shapes = f"{name} gives {tuple(y.shape)}, and {_name(oracle)} {tuple(expected.shape)}"
                raise UsageError(f"verify: {shapes}; an oracle gives the same")
            what = ["output", *(f"gradient by {operand}" for operand in names)]
            errors = proofs.disagreements(function, other, tensors)
            found["autograd"] = {f"whose {part} differs": error for part, error in zip(what, errors, strict=True)}
    rows = [
        proofs.worst_of(proof, tolerance, {f"{name}, {w}": e for w, e in each.items()}) for proof, each in found.items()
    ]
    notes = [f"The derivatives are those by {', '.join(names)}."]
    if why is not None:
        notes.append(f"First derivatives alone: the backward pass of {name} cannot be differentiated ({why}).")
    return Verification((Row(name, "its own", "float64", str(y.device), tuple(filter(None, rows)), tuple(notes)),))


def _of_differences(
    name: str,
    function: Function,
    tensors: Sequence[Tensor],
    step: float,
    tolerance: float,
    names: Sequence[str],
    twice: bool,
) -> dict[str, float]:
    """The error of each derivative, by the step over which it is smallest; a wrong one is told as it is by ``step``.

    Raise UsageError if it is not the derivatives that are wrong.
    """
    steps = [step / part for part in PARTS]
    backward = Backward.of(function, tensors, names) if twice else None
    found: dict[str, list[Error]] = {}
    for part in steps:
        errors = first_errors(function, tensors, part, tolerance, names)
        if backward:
            errors |= second_errors(backward, part, tolerance)
        for what, error in errors.items():
            found.setdefault(what, []).append(error)
        wrong = [what for what, tried in found.items() if not any(error.size <= tolerance for error in tried)]
        if not wrong:
            break
    else:
        short = [min(part, SHORT) for part in steps]
        why = obstacle(function, tensors, names, short, tolerance)
        if why is None and backward and all(what.startswith("second") for what in wrong):
            why = obstacle(*backward, short, tolerance)
        if why is not None:
            raise UsageError(f"verify: {name} {why}")
    told = {what: tried[0] if what in wrong else min(tried) for what, tried in found.items()}
    return {f"derivatives {what}{error.where}": error.size for what, error in told.items()}


def _name(target: nn.Module | Callable[..., Tensor]) -> str:
    if isinstance(target, nn.Module):
        return type(target).__name__
    owner = getattr(target, "__self__", None)  # of apply, the class of a torch.autograd.Function
    return owner.__name__ if isinstance(owner, type) else getattr(target, "__name__", "function")


def _varied(name: str, inputs: Sequence[Tensor], parameters: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """All floating-point inputs and parameters by name, in float64: what to differentiate by."""
    given: dict[str, Any] = {**{f"input {place}": x for place, x in enumerate(inputs)}, **parameters}
    for what, x in given.items():
        if not isinstance(x, Tensor):
            cure = "torch.as_tensor makes one of an array, and a lambda fixes what is none"
            raise UsageError(f"verify: {what} of {name} is a {type(x).__name__}, not a tensor; {cure}")
        if x.layout != torch.strided:
            raise UsageError(f"verify: {what} of {name} is sparse; make it sparse in a lambda that is given it dense")
        if x.is_complex():
            raise UsageError(f"verify: {what} of {name} is complex; give real and imaginary parts as real tensors")
    varied = {what: x.detach().double() for what, x in given.items() if x.is_floating_point()}
    if not varied:
        raise UsageError(f"verify: {name} was given no floating-point tensor to differentiate by")
    for what, x in varied.items():
        if not x.isfinite().all():
            raise UsageError(
                f"verify: {what} of {name} has NaN or infinity, where no difference can be taken; take others, or fix "
                "it by a lambda"
            )
    if empty := [what for what, x in varied.items() if not x.numel()]:
        raise UsageError(f"verify: {empty[0]} of {name} is empty, so there is nothing to compare")
    return varied


def _check_output(name: str, function: Function, tensors: Sequence[Tensor]) -> Tensor:
    """The function's output; raise UsageError if differences of it would prove nothing."""
    y, again = (function(*(x.clone().requires_grad_() for x in tensors)) for _ in range(2))
    if not isinstance(y, Tensor):
        cure = "prove one of its tensors at a time, by a module whose forward returns self.layer(x)[0]"
        raise UsageError(f"verify: {name} gives a {type(y).__name__}, not a tensor; {cure}")
    if y.is_complex():
        raise UsageError(f"verify: {name} gives complex numbers; prove torch.view_as_real of them")
    if not y.is_floating_point() or not y.requires_grad:
        raise UsageError(
            f"verify: what {name} gives ({y.dtype}) has no gradient: it is of whole numbers, detached, or computed "
            "where torch's autograd does not see it"
        )
    if y.dtype != torch.float64:
        raise UsageError(
            f"verify: {name} gives {y.dtype} for float64, and its rounding hides the derivatives; let it compute in "
            "the dtype of its input"
        )
    if not y.numel():
        raise UsageError(f"verify: {name} gives an empty tensor, so there is nothing to compare")
    if not y.isfinite().all():
        raise UsageError(f"verify: {name} gives NaN or infinity for these inputs; take others")
    if largest_difference(y, again) > ANOTHER * largest(y):
        raise UsageError(f"verify: {name} gives something else at each call; is there dropout? .eval() turns it off")
    return y.detach()


def _told(name: str, function: Function) -> Function:
    """The function, which says what may help if it raises an error."""

    def told(*tensors: Tensor) -> Tensor:
        try:
            return function(*tensors)
        except Exception as error:  # what a user's function raises
            raise UsageError(
                f"verify: {name} raises {type(error).__name__} ({first_line(error)}); an input that takes no gradient, "
                "or no numbers a step away from these, is fixed by a lambda, as in lambda x: loss(x, target)"
            ) from error

    return told


def _by_units(function: Function, tensors: Sequence[Tensor]) -> tuple[Function, list[Tensor]]:
    """The function of inputs scaled to at most 1, and these: one step suits all. Powers of two cause no rounding."""
    scales = [2.0 ** max(0, math.ceil(math.log2(largest(x) or 1))) for x in tensors]

    def of_units(*units: Tensor) -> Tensor:
        return function(*(scale * unit for scale, unit in zip(scales, units, strict=True)))

    return of_units, [x / scale for scale, x in zip(scales, tensors, strict=True)]


def _copied(buffer: Tensor, given: Tensor) -> Tensor:
    """A copy, in float64 if it is not of whole numbers, of what is given or, if that has another shape, the buffer."""
    chosen = given if given.shape == buffer.shape else buffer
    return chosen.clone().double() if chosen.is_floating_point() else chosen.clone()


def _gpus(tensors: Sequence[Tensor]) -> list[torch.device]:
    return list({x.device for x in tensors if x.is_cuda})


def _as_function(
    target: nn.Module | Callable[..., Tensor],
    inputs: Sequence[Tensor],
    parameters: Sequence[str],
    given: Mapping[str, Tensor] | None = None,
) -> Callable[..., Tensor]:
    """``target`` as a function of its floating-point inputs and then its parameters, of these names.

    Args:
        given: buffers in place of its own, where they have its names and shapes.
    """
    varied = [place for place, x in enumerate(inputs) if x.is_floating_point()]
    if not isinstance(target, nn.Module):
        if parameters:
            raise UsageError("verify: the oracle of a module must be a module, which is given its parameters")
        module, buffers = None, {}
    else:
        module = target
        own = {name for name, _ in target.named_parameters()}
        if own != set(parameters):
            raise UsageError(
                f"verify: the parameters of {type(target).__name__} are {', '.join(sorted(own)) or 'none'}, and those "
                f"of the target {', '.join(sorted(parameters)) or 'none'}; an oracle needs the same names"
            )
        buffers = {name: _copied(b, (given or {}).get(name, b)) for name, b in target.named_buffers()}

    def function(*tensors: Tensor) -> Tensor:
        arguments = list(inputs)
        for place, x in zip(varied, tensors, strict=False):
            arguments[place] = x.clone()  # it may be changed in place
        if module is None:
            return target(*arguments)
        named = dict(zip(parameters, tensors[len(varied) :], strict=True))
        return torch.func.functional_call(module, named | buffers, tuple(arguments))

    return function
