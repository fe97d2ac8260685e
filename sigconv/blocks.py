"""Blocks of layers for signals of any number of axes."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from .errors import UsageError
from .layers import Conv, MaxPool
from .window import Padding, PerAxis, Sizes

__all__ = ["ACTIVATIONS", "NORMS", "BatchNorm", "ConvBlock", "Flatten", "ScaledTanh", "chain"]

T = TypeVar("T")


class BatchNorm(_BatchNorm):
    """Batch normalisation, (batch, num_features, *size) -> the same shape, for any number of axes, none included.

    Arguments, parameters and state_dict are those of torch.nn.BatchNorm1d, 2d and 3d. Ioffe & Szegedy, ICML 2015.

    Raises:
        UsageError: the input has no batch axis, or another number of channels.
    """

    def _check_input_dim(self, input: Tensor) -> None:
        if input.ndim < 2 or input.shape[1] != self.num_features:
            raise UsageError(
                f"BatchNorm({self.num_features}): input has shape {tuple(input.shape)}; "
                f"it must be (batch, {self.num_features}, ...)"
            )


class ScaledTanh(nn.Module):
    """1.7159 tanh(2x/3): maps 1 to 1 and -1 to -1. LeCun et al., "Gradient-based learning", 1998, appendix A."""

    def forward(self, x: Tensor) -> Tensor:
        return 1.7159 * torch.tanh(2 / 3 * x)


class Flatten(nn.Module):
    """([batch,] \\*shape) -> ([batch,] features), for one ``shape`` only, as the weights behind it want it."""

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.shape: Sizes = tuple(shape)

    def forward(self, x: Tensor) -> Tensor:
        rank = len(self.shape)
        if x.shape[-rank:] != self.shape:
            raise UsageError(
                f"Flatten: receives {tuple(x.shape[-rank:])} but the network was built for {self.shape} here; "
                "give it signals of the size that it was built for"
            )
        return x.reshape(*x.shape[:-rank], math.prod(self.shape))

    def extra_repr(self) -> str:
        return f"shape={self.shape}"


ACTIVATIONS: Mapping[str, Callable[[], nn.Module | None]] = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "scaled_tanh": ScaledTanh,
    "none": lambda: None,
}

# From a number of channels to what normalises them. One group is layer normalisation: over all channels and places.
NORMS: Mapping[str, Callable[[int], nn.Module | None]] = {
    "batch": BatchNorm,
    "layer": lambda channels: nn.GroupNorm(1, channels),
    "none": lambda channels: None,
}


def make_activation(name: str | None) -> nn.Module | None:
    """One of :data:`ACTIVATIONS`; None for none."""
    return _named("activation", name, ACTIVATIONS)()


def make_norm(name: str | None, channels: int) -> nn.Module | None:
    """One of :data:`NORMS`; None for none."""
    return _named("norm", name, NORMS)(channels)


def _named(what: str, name: str | None, table: Mapping[str, T]) -> T:
    key = "none" if name is None else str(name)
    if key not in table:
        near = get_close_matches(key, table, n=1)
        guess = f" Did you mean {near[0]}?" if near else ""
        raise UsageError(f"there is no {what} {key!r}.{guess} There are {', '.join(table)}")
    return table[key]


def chain(**modules: nn.Module | None) -> nn.Sequential:
    """A Sequential of the modules that are there, each under its name."""
    return nn.Sequential(OrderedDict((name, module) for name, module in modules.items() if module is not None))


class ConvBlock(nn.Module):
    """Convolution, normalisation, activation and pooling, in this order, for any number of axes.

    ([batch,] in_channels, *size) -> ([batch,] out_channels, *size); batch normalisation needs the batch axis. The
    convolution has a bias only where no normalisation follows, which would take it out again.

    Args:
        kernel_size: one number for each axis, or one for all where ``ndim`` says how many; these and the arguments up
            to padding_mode are :class:`sigconv.layers.Conv`'s.
        norm: "batch", "layer" (over channels and places) or None.
        activation: "relu", "gelu", "silu", "tanh", "scaled_tanh" or None.
        pool: the size of maximum pooling, with windows side by side; or a module that pools, such as an AvgPool.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: PerAxis,
        *,
        ndim: int | None = None,
        stride: PerAxis = 1,
        padding: Padding = 0,
        dilation: PerAxis = 1,
        groups: int = 1,
        padding_mode: str | Sequence[str] = "zeros",
        norm: str | None = "batch",
        activation: str | None = "relu",
        pool: PerAxis | nn.Module | None = None,
    ) -> None:
        super().__init__()
        normalise = make_norm(norm, out_channels)
        conv = Conv(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            groups,
            bias=normalise is None,
            padding_mode=padding_mode,
            ndim=ndim,
        )
        if pool is not None and not isinstance(pool, nn.Module):
            pool = MaxPool(pool, ndim=conv.window.ndim)
        parts = {"conv": conv, "norm": normalise, "activation": make_activation(activation), "pool": pool}
        for name, part in parts.items():
            if part is not None:
                self.add_module(name, part)

    def forward(self, x: Tensor) -> Tensor:
        for part in self.children():
            x = part(x)
        return x
