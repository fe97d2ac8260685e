"""Outputs, gradients and norms, which all proofs use."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Function = Callable[..., Tensor]

TINY = 1e-6
"""Gradients below this share of the largest may be nothing but the rounding of a zero."""


def output_and_gradients(
    function: Function, inputs: Sequence[Tensor], scale: int = 1, absolute: bool = False
) -> list[Tensor]:
    """The output, and each input's gradient of a fixed linear form of the output; zeros for inputs of no influence."""
    leaves = [x.detach().clone().requires_grad_() for x in inputs]
    y = function(*leaves)
    g = cotangent(y) * scale
    return [y.detach(), *gradients_of(y, leaves, g.abs() if absolute else g)]


def gradients_of(y: Tensor, leaves: Sequence[Tensor], g: Tensor) -> list[Tensor]:
    """The gradient of <g, y> by each leaf; zeros for one of no influence. It may be asked for again."""
    gradients = torch.autograd.grad(y, leaves, g, retain_graph=True, materialize_grads=True)
    return [gradient.to_dense() if gradient.layout != torch.strided else gradient for gradient in gradients]


def gradient_of(along: Function, x: Tensor, g: Tensor) -> Tensor:
    """The gradient by x of the linear form g of a function of x; zeros if x has no influence."""
    leaf = x.detach().clone().requires_grad_()
    y = along(leaf)
    return gradients_of(y, [leaf], g)[0] if y.requires_grad else torch.zeros_like(x)


def cotangent(y: Tensor) -> Tensor:
    """-1, 0 and 1 in a fixed, irregular order, so that other implementations can be given the same."""
    places = torch.arange(y.numel(), device=y.device)
    return ((places * 7919 + places // 3) % 3 - 1).to(y.dtype).reshape(y.shape)


def drawn_like(x: Tensor) -> Tensor:
    """Random numbers of sizes from 0.5 to 1.5, none so small as to hide an error that it is multiplied by."""
    return (torch.rand_like(x) + 0.5) * (2 * torch.randint_like(x, 2) - 1)


def whole(shape: Sequence[int], device: torch.device) -> Tensor:
    """Random -1, 0 and 1, whose sums are exact in every dtype."""
    return torch.randint(-1, 2, tuple(shape), device=device)


def dot(a: Tensor, b: Tensor) -> float:
    """The dot product in float64."""
    return (a.double() * b.double()).sum().item()


def largest(x: Tensor) -> float:
    """The largest absolute value; 0 if x is empty."""
    return x.abs().max().item() if x.numel() else 0.0


def sizes_of(tensors: Sequence[Tensor]) -> list[float]:
    """What an error of each is relative to: its own largest number, unless that is tiny compared to the others."""
    sizes = [largest(x) for x in tensors]
    return [max(size, TINY * max(sizes)) or 1.0 for size in sizes]


def largest_difference(a: Tensor, b: Tensor) -> float:
    """The largest absolute difference; infinite if the shapes differ."""
    if a.shape != b.shape:
        return math.inf
    return (a.double() - b.double()).abs().max().item() if a.numel() else 0.0
