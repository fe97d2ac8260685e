"""Whether a backward pass gives the same gradients however it is called."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from sigconv.verification.differences import by_one
from sigconv.verification.forms import Function, drawn_like, gradient_of, largest, largest_difference, sizes_of


def errors_of_calls(function: Function, inputs: Sequence[Tensor], names: Sequence[str]) -> dict[str, float]:
    """How far gradients are from those of a first call, relative to the largest of each, by what is different then."""
    leaves = [x.detach().clone().requires_grad_() for x in inputs]
    y = function(*leaves)
    g = drawn_like(y)
    given = g.clone()
    first = [gradient.clone() for gradient in _gradients(y, leaves, given)]  # the backward pass may change its own
    sizes = sizes_of(first)
    changed = largest_difference(given, g) / largest(g)
    again = _gradients(y, leaves, g.clone())
    y = function(*leaves)
    function(*(x * (1 - 0.1 * torch.rand_like(x)) for x in inputs))
    later = _gradients(y, leaves, g.clone())
    found = {
        "whose backward pass changes the gradient that it is given": changed,
        "when its backward pass is called again": _largest_error(again, first, sizes),
        "when it is called with other numbers before its backward pass": _largest_error(later, first, sizes),
    }
    for place, (x, name) in enumerate(zip(inputs, names, strict=True)):
        alone = gradient_of(partial(by_one, function, inputs, place), x, g.clone())
        found[f"when only {name} needs a gradient"] = largest_difference(alone, first[place]) / sizes[place]
    return found


def _gradients(y: Tensor, leaves: Sequence[Tensor], g: Tensor) -> tuple[Tensor, ...]:
    return torch.autograd.grad(y, leaves, g, retain_graph=True, materialize_grads=True)


def _largest_error(gradients: Sequence[Tensor], expected: Sequence[Tensor], sizes: Sequence[float]) -> float:
    return max(largest_difference(g, e) / size for g, e, size in zip(gradients, expected, sizes, strict=True))
