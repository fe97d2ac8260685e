"""Run the proofs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from sigconv import check, planner
from sigconv.errors import UsageError
from sigconv.verification import proofs
from sigconv.verification.cases import CASES, Case
from sigconv.verification.report import Row, Verification


def verify_all(
    device: torch.device | str = "cpu",
    dtypes: Sequence[torch.dtype] = check.DTYPES,
    progress: Callable[[str], None] = lambda doing: None,
) -> Verification:
    """Prove every operation with every kernel and dtype on ``device``; ``progress`` hears what comes next."""
    rows = []
    # float32 in full: a GPU's TF32 rounds operands to 10 bits, which is no error of the operation.
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        for operation in CASES:
            for kernel, module in planner.KERNELS.items():
                for dtype in (dtype for dtype in dtypes if dtype in module.DTYPES):
                    progress(f"{operation} ({kernel}, {dtype})")
                    rows += _prove(operation, kernel, dtype, torch.device(device))
    return Verification(tuple(rows))


def verify(
    target: nn.Module | Callable[..., Tensor],
    *inputs: Tensor,
    oracle: nn.Module | Callable[..., Tensor] | None = None,
    step: float = 1e-6,
    tolerance: float = 1e-6,
) -> Verification:
    """Prove the backward pass of somebody's own layer or function.

    >>> layer = sigconv.Conv2d(2, 3, 3)
    >>> assert sigconv.verify(layer, torch.randn(1, 2, 5, 5), oracle=torch.nn.Conv2d(2, 3, 3))

    Args:
        target: a module, whose parameters are proved too, or a function; of tensors, giving one tensor.
        inputs: what it takes. Small ones: each number in them is varied. They and the parameters are used in float64;
            the module itself is left as it is.
        oracle: another implementation with equal outputs and gradients; a module gets the target's parameters.
        step: of the finite differences. Where the target is linear in each operand a step of 1 is exact.
        tolerance: the relative error that step and rounding explain.

    Raises:
        UsageError: there is nothing to differentiate, or the oracle is of another sort than the target.
    """
    name = type(target).__name__ if isinstance(target, nn.Module) else getattr(target, "__name__", "function")
    parameters = dict(target.named_parameters()) if isinstance(target, nn.Module) else {}
    tensors = [t.detach().double() for t in (*inputs, *parameters.values()) if t.is_floating_point()]
    if not tensors:
        raise UsageError(f"verify: {name} was given no floating-point tensor to differentiate by")
    function = _as_function(target, inputs, list(parameters))
    names = [f"input {place}" for place, x in enumerate(inputs) if x.is_floating_point()]
    names += [of for of, x in parameters.items() if x.is_floating_point()]
    errors = proofs.difference_errors(function, tensors, step, tolerance, names)
    worst = proofs.worst_of("differences", tolerance, {f"{name}, derivatives {what}": e for what, e in errors.items()})
    assert worst is not None
    found = [worst]
    if oracle is not None:
        other = _as_function(oracle, inputs, list(parameters))
        found.append(proofs.Proof("autograd", proofs.disagreement(function, other, tensors), tolerance, name))
    return Verification((Row(name, "its own", "float64", str(tensors[0].device), tuple(found)),))


def _as_function(
    target: nn.Module | Callable[..., Tensor], inputs: Sequence[Tensor], parameters: Sequence[str]
) -> Callable[..., Tensor]:
    """``target`` as a function of its floating-point inputs and then its parameters, of these names."""
    varied = [place for place, x in enumerate(inputs) if x.is_floating_point()]
    if not isinstance(target, nn.Module):
        if parameters:
            raise UsageError("verify: the oracle of a module must be a module, which is given its parameters")
        module, buffers = None, {}
    else:
        module = target
        buffers = {n: b.double() if b.is_floating_point() else b.clone() for n, b in target.named_buffers()}
        if {name for name, _ in target.named_parameters()} != set(parameters):
            raise UsageError(f"verify: the parameters of {type(target).__name__} are not those of the target")

    def function(*tensors: Tensor) -> Tensor:
        arguments = list(inputs)
        for place, x in zip(varied, tensors, strict=False):
            arguments[place] = x
        if module is None:
            return target(*arguments)
        named = dict(zip(parameters, tensors[len(varied) :], strict=True))
        return torch.func.functional_call(module, named | buffers, tuple(arguments))

    return function


def _prove(operation: str, kernel: str, dtype: torch.dtype, device: torch.device) -> list[Row]:
    """A row, unless the kernel has no part in the operation."""
    # Each row draws the same numbers, whatever was proved before it, and leaves the caller's generator as it was.
    with torch.random.fork_rng([device] if device.type == "cuda" else []), planner.use_kernel(kernel):
        torch.manual_seed(0)
        cases = [case for case in CASES[operation] if _takes_part(kernel, case, dtype, device)]
        if not cases:
            return []
        found = [proofs.exact(cases, kernel, dtype, device), proofs.identity(cases, dtype, device)]
        if dtype == torch.float64:
            found.append(proofs.differences(cases, device))
        found.append(proofs.autograd(cases, dtype, device))
        if operation == "max_pool":
            found.append(proofs.winners(kernel, dtype, device))
    proved = tuple(proof for proof in found if proof is not None)
    return [Row(operation, kernel, str(dtype).removeprefix("torch."), str(device), proved)]


def _takes_part(kernel: str, case: Case, dtype: torch.dtype, device: torch.device) -> bool:
    with planner.observed() as used:
        proofs.output_and_gradients(case.function, [torch.zeros(s, dtype=dtype, device=device) for s in case.shapes])
    return any(name == kernel for name, _ in used)
