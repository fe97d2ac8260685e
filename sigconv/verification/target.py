"""A user's layer as a function of tensors: of its inputs and parameters, in float64."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from sigconv.errors import UsageError, first_line
from sigconv.verification.forms import Function, largest, largest_difference

Target = nn.Module | Callable[..., Tensor]

ANOTHER = 1e-10
"""As a share of the largest number: if two calls' outputs differ by more, they are not a function of the inputs."""


def name_of(target: Target) -> str:
    """Raise UsageError for an autograd Function in place of its ``apply``."""
    if isinstance(target, nn.Module):
        return type(target).__name__
    if isinstance(target, type) and issubclass(target, torch.autograd.Function):
        raise UsageError(f"verify: {target.__name__} is called by its apply; give {target.__name__}.apply")
    owner = getattr(target, "__self__", None)  # of apply, the class of a torch.autograd.Function
    return owner.__name__ if isinstance(owner, type) else getattr(target, "__name__", "function")


def varied_tensors(name: str, inputs: Sequence[Tensor], parameters: Mapping[str, Tensor]) -> dict[str, Tensor]:
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


def checked_output(name: str, function: Function, tensors: Sequence[Tensor]) -> Tensor:
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


def telling(name: str, function: Function) -> Function:
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


def by_units(function: Function, tensors: Sequence[Tensor]) -> tuple[Function, list[Tensor]]:
    """The function of inputs scaled to at most 1, and these: one step suits all. Powers of two cause no rounding."""
    scales = [2.0 ** max(0, math.ceil(math.log2(largest(x) or 1))) for x in tensors]

    def of_units(*units: Tensor) -> Tensor:
        return function(*(scale * unit for scale, unit in zip(scales, units, strict=True)))

    return of_units, [x / scale for scale, x in zip(scales, tensors, strict=True)]


def _copied(buffer: Tensor, given: Tensor) -> Tensor:
    """A copy, in float64 if it is not of whole numbers, of what is given or, if that has another shape, the buffer."""
    chosen = given if given.shape == buffer.shape else buffer
    return chosen.clone().double() if chosen.is_floating_point() else chosen.clone()


def as_function(
    target: Target,
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
