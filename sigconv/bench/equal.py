"""Whether contestants compute the same, within what rounding explains."""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor

from sigconv.bench.case import Case
from sigconv.bench.contestant import Contestant

OUTPUT = "output"
TOLERANCES = {torch.float32: (1e-4, 1e-2), torch.bfloat16: (1e-2, 5e-2)}
"""For outputs and for gradients: the distance from torch.nn's that rounding explains in all cases. Gradients have more:
where two values of a window, or a value and 0, are equal but for rounding, layouts disagree about which wins."""

DEEP = 10
"""The factor by which the gradients of a whole network may differ more: one such place affects all layers before it.
(The two layouts of torch.nn itself are up to 0.02 apart in BC-ResNet.)"""

WORSE = 4
"""Beyond that, how many times as far from the exact value as torch.nn's own a result may be."""

CANCELLED = 1e-4
"""A gradient that is a smaller part of the whole is what remains when terms cancel, as before a normalisation."""

Values = dict[str, Tensor | None]


class DifferentError(Exception):
    """A contestant computes something different from torch.nn."""


def check_equal(case: Case, plain: Contestant, others: Sequence[Contestant]) -> None:
    """Compare output and gradients of ``others`` with those of ``plain``, which is torch.nn.

    After ten layers in bfloat16, rounding exceeds any reasonable tolerance, in torch.nn as well. A contestant beyond
    the tolerance is compared with float64: then torch.nn's own distance decides what is allowed.

    Raises:
        DifferentError: says who is off, in what and by how much.
    """
    for_output, for_gradients = TOLERANCES[plain.x.dtype]
    for_gradients *= 1 if case.classes is None else DEEP
    # float32 in full: a GPU's TF32 rounds operands to 10 bits, each kernel in its own way.
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        right = _values(plain)
        for other in others:
            allowed = {name: for_output if name == OUTPUT else for_gradients for name in right}
            values = dict(zip(right, _values(other).values(), strict=True))
            found = _distances(values, right)
            if _beyond(found, allowed):
                exact = _values(_in_float64(plain, case))
                found, usual = _distances(values, exact), _distances(right, exact)
                allowed = {name: max(allowed[name], WORSE * usual[name]) for name in right}
            for name in _beyond(found, allowed):
                text = f"{other.name}: {name} is off by {found[name]:.2g} where {allowed[name]:.2g} is allowed"
                raise DifferentError(text)


def _in_float64(plain: Contestant, case: Case) -> Contestant:
    exact = Contestant("float64", copy.deepcopy(plain.network).double(), plain.x.double(), case)
    if case.classes is None:
        exact.target = plain.target.double()
    return exact


def _values(contestant: Contestant) -> Values:
    """The output and all gradients."""
    y = contestant.step()
    gradients = {f"gradient of {name}": p.grad for name, p in contestant.network.named_parameters()}
    return {OUTPUT: y.detach(), "gradient of the input": contestant.x.grad, **gradients}


def _beyond(found: dict[str, float], allowed: dict[str, float]) -> list[str]:
    return [name for name in found if not found[name] <= allowed[name]]  # NaN is beyond it, too


def _distances(values: Values, right: Values) -> dict[str, float]:
    """The norm of each difference, relative to that of the right value."""
    norms = {name: 0.0 if true is None else true.norm().item() for name, true in right.items()}
    whole = sum(norm**2 for name, norm in norms.items() if name != OUTPUT) ** 0.5
    floors = {name: 0.0 if name == OUTPUT else CANCELLED * whole for name in norms}
    return {name: _difference(values[name], right[name]) / max(norms[name], floors[name], 1e-30) for name in right}


def _difference(value: Tensor | None, true: Tensor | None) -> float:
    """The norm of the difference, ignoring axes of size 1; infinite if only one is there, or if shapes differ."""
    if value is None or true is None:
        return 0.0 if value is true else float("inf")
    if value.squeeze().shape != true.squeeze().shape:
        return float("inf")
    return (value.reshape(true.shape) - true).norm().item()
