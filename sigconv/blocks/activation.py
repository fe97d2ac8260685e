"""Activation functions, by name."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from sigconv.names import named


class ScaledTanh(nn.Module):
    """1.7159 tanh(2x/3): maps 1 to 1 and -1 to -1. LeCun et al., "Gradient-based learning", 1998, appendix A."""

    def forward(self, x: Tensor) -> Tensor:
        return 1.7159 * torch.tanh(2 / 3 * x)


ACTIVATIONS: Mapping[str, Callable[[], nn.Module | None]] = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "scaled_tanh": ScaledTanh,
    "none": lambda: None,
}


def make_activation(name: str | None) -> nn.Module | None:
    """One of :data:`ACTIVATIONS`; None for none."""
    return named("activation", name, ACTIVATIONS)()
