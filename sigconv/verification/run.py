"""Run the proofs of every operation."""

from collections.abc import Callable, Sequence
from functools import partial

import torch

from sigconv import planner
from sigconv.operations import check
from sigconv.verification import forms, proofs
from sigconv.verification.cases import CASES, Case
from sigconv.verification.report import Row, Verification


def verify_all(
    device: torch.device | str = "cpu",
    dtypes: Sequence[torch.dtype] = check.DTYPES,
    progress: Callable[[str], None] = lambda doing: None,
) -> Verification:
    """Prove every operation with every kernel and dtype on ``device``; ``progress`` is told what comes next."""
    rows = []
    # float32 in full: a GPU's TF32 rounds operands to 10 bits, which is not an error of the operation.
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        for operation in CASES:
            for kernel, module in planner.KERNELS.items():
                for dtype in (dtype for dtype in dtypes if dtype in module.DTYPES):
                    progress(f"{operation} ({kernel}, {dtype})")
                    rows += _prove(operation, kernel, dtype, torch.device(device))
    return Verification(tuple(rows))


def _prove(operation: str, kernel: str, dtype: torch.dtype, device: torch.device) -> list[Row]:
    """One row, or none if the kernel takes no part in the operation."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []), planner.use_kernel(kernel):
        cases = [case for case in CASES[operation] if _takes_part(kernel, case, dtype, device)]
        if not cases:
            return []
        wanted = [partial(proofs.exact, cases, kernel, dtype, device), partial(proofs.identity, cases, dtype, device)]
        if dtype == torch.float64:
            wanted.append(partial(proofs.differences, cases, device))
        wanted.append(partial(proofs.autograd, cases, dtype, device))
        if operation == "max_pool":
            wanted.append(partial(proofs.winners, kernel, dtype, device))
        found = []
        for prove in wanted:
            torch.manual_seed(0)  # each draws the same numbers, whatever was proved before it
            found.append(prove())
    proved = tuple(proof for proof in found if proof is not None)
    return [Row(operation, kernel, str(dtype).removeprefix("torch."), str(device), proved)]


def _takes_part(kernel: str, case: Case, dtype: torch.dtype, device: torch.device) -> bool:
    with planner.observed() as used:
        forms.output_and_gradients(case.function, [torch.zeros(s, dtype=dtype, device=device) for s in case.shapes])
    return any(name == kernel for name, _ in used)
