"""Modules made of modules: one after another, side by side, and with connections around them."""

from collections import OrderedDict
from typing import Any

import torch
from torch import Tensor, nn

from sigconv.blocks.activation import make_activation
from sigconv.blocks.observed import has_forward_of
from sigconv.layers import MaxPool


class Chain(nn.Sequential):
    """Modules one after another, as in a Sequential.

    Where a :class:`sigconv.blocks.ConvBlock` is followed by max pooling, the two may be computed as one operation.
    """

    def forward(self, x: Tensor) -> Tensor:
        modules: list[Any] = list(self)
        while modules:
            module = modules.pop(0)
            if modules and has_forward_of(MaxPool, modules[0]) and hasattr(type(module), "pooled"):
                x = module.pooled(x, modules.pop(0))
            else:
                x = module(x)
        return x


def chain(**modules: nn.Module | None) -> Chain:
    """The modules that are not None one after another, each under its name."""
    return Chain(OrderedDict((name, module) for name, module in modules.items() if module is not None))


class Residual(nn.Module):
    """activation(body(x) + shortcut(x)). He et al., "Deep residual learning for image recognition", CVPR 2016.

    Args:
        shortcut: a module, where the body changes the number of channels or places; x itself if None.
        activation: of the sum, one of :data:`sigconv.blocks.ACTIVATIONS`, or None.
    """

    def __init__(self, body: nn.Module, shortcut: nn.Module | None = None, activation: str | None = "relu") -> None:
        super().__init__()
        self.body = body
        self.shortcut = nn.Identity() if shortcut is None else shortcut
        self.activation = make_activation(activation) or nn.Identity()
        if isinstance(self.activation, nn.ReLU):
            self.activation.inplace = True  # the sum is used nowhere else

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.body(x) + self.shortcut(x))


class Branches(nn.ModuleList):
    """Modules side by side: their outputs for x, (batch, channels, \\*size), are concatenated along the channels."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self], 1)


class PerFrame(nn.Module):
    """A module applied to each frame: (batch, channels, time, \\*size) -> (batch, features, time, \\*new size).

    Time, the first axis, goes into the batch: ``module`` is given (batch * time, channels, \\*size). Where it gives
    (batch * time, features) the result is (batch, features, time). Nothing is copied if channels are innermost.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        frames = x.transpose(1, 2)
        return self.module(frames.flatten(0, 1)).unflatten(0, frames.shape[:2]).transpose(1, 2)
