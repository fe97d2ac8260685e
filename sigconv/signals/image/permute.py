"""Pixels in another order."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Permuted(nn.Module):
    """All places of each signal in one fixed random order: (batch, channels, \\*size) -> the same shape.

    What a network can learn without knowing which pixels are neighbours: the order is the same for all signals, and
    with the same ``seed`` for all networks.
    """

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.seed = seed

    def forward(self, x: Tensor) -> Tensor:
        places = x.flatten(2)
        order = torch.randperm(places.shape[2], generator=torch.Generator().manual_seed(self.seed))
        return places[..., order.to(x.device)].reshape(x.shape)

    def extra_repr(self) -> str:
        return f"seed={self.seed}"
