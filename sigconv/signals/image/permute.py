"""Pixels in a fixed random order."""

import torch
from torch import Tensor, nn


class Permuted(nn.Module):
    """Puts the places of each signal into one fixed random order: (batch, channels, \\*size) -> the same shape.

    It shows what a network can learn without knowing which pixels are neighbours. The order is the same for all
    signals, and for all networks with the same ``seed``.
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
