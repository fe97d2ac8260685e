"""Convolutions with what usually goes with them."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from ..layers import Conv, MaxPool
from ..window import Padding, PerAxis
from .activation import make_activation
from .compose import chain
from .norm import make_norm


class ConvBlock(nn.Module):
    """Convolution, normalisation, activation and pooling, in this order, for any number of axes.

    ([batch,] in_channels, *size) -> ([batch,] out_channels, *size); batch normalisation needs the batch axis. The
    convolution has a bias only where no normalisation follows, which would take it out again.

    Args:
        kernel_size: one number for each axis, or one for all where ``ndim`` says how many; these and the arguments up
            to padding_mode are :class:`sigconv.layers.Conv`'s.
        norm: "batch", "layer" (over channels and places) or None.
        activation: "relu", "gelu", "silu", "sigmoid", "tanh", "scaled_tanh" or None.
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


def separable(
    in_channels: int,
    out_channels: int,
    kernel_size: PerAxis,
    *,
    ndim: int | None = None,
    stride: PerAxis = 1,
    padding: Padding = 0,
    dilation: PerAxis = 1,
    norm: str | None = "batch",
    activation: str | None = "relu",
) -> nn.Sequential:
    """A depthwise separable convolution, ([batch,] in_channels, *size) -> ([batch,] out_channels, *size).

    Each map is convolved by itself, over places; then a convolution of size 1 mixes the maps, followed by
    normalisation and activation. There is nothing between the two. Kaiser, Gomez & Chollet, ICLR 2018.

    Args: those of :class:`ConvBlock`.
    """
    depthwise = Conv(in_channels, in_channels, kernel_size, stride, padding, dilation, in_channels, False, ndim=ndim)
    pointwise = ConvBlock(in_channels, out_channels, 1, ndim=depthwise.window.ndim, norm=norm, activation=activation)
    return chain(depthwise=depthwise, pointwise=pointwise)
