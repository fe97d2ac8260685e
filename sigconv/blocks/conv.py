"""Convolutions with what usually goes with them."""

import math
from collections.abc import Sequence

from torch import Tensor, nn

from sigconv.blocks.activation import make_activation
from sigconv.blocks.compose import chain
from sigconv.blocks.fused import activated, laid_out, pooled
from sigconv.blocks.norm import make_norm
from sigconv.blocks.observed import are_observed, has_forward_of
from sigconv.errors import UsageError
from sigconv.layers import Conv, MaxPool
from sigconv.window import Padding, PerAxis, Window

PARTS = {"conv", "norm", "activation", "pool"}
"""The parts of a block, by name. If others have been added, nothing is fused."""


class ConvBlock(nn.Module):
    """Convolution, normalisation, activation and pooling, in this order, for any number of axes.

    On a CPU and on NVIDIA's GPUs the output is channels-last. Max pooling is done before a monotonic activation, which
    gives the same result, and several parts are fused where a kernel can do so and they have no hooks.

    ([batch,] in_channels, *size) -> ([batch,] out_channels, *size); batch normalisation needs the batch axis. The
    convolution has a bias only where no normalisation follows, which would cancel it.

    Args:
        kernel_size: one number for each axis, or one for all if ``ndim`` is given; it and the arguments up to
            padding_mode are those of :class:`sigconv.layers.Conv`.
        norm: "batch", "layer" (over channels and places) or None.
        activation: "relu", "gelu", "silu", "sigmoid", "tanh", "scaled_tanh" or None.
        pool: the size of max pooling, with windows side by side; or a module that pools, such as an AvgPool.
    """

    conv: Conv

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
        parts, conv = self._modules, self._modules["conv"]
        if not isinstance(conv, Conv):
            return self._one_by_one(x)
        if x.ndim == conv.window.ndim + 1 and not isinstance(parts.get("norm"), nn.modules.batchnorm._BatchNorm):
            y = self.forward(x.unsqueeze(0))  # without a batch axis, no layout is known
            if isinstance(y, Tensor):
                return y.squeeze(0)
            return tuple(part.squeeze(0) for part in y)  # type: ignore[return-value]  # a pool gave indices, too
        if not parts.keys() <= PARTS or are_observed(*parts.values()):
            return self._one_by_one(laid_out(x, conv))
        pool = parts.get("pool")
        if isinstance(pool, MaxPool) and has_forward_of(MaxPool, pool):
            return pooled(self, pool, x)
        x = activated(self, x)
        return x if pool is None else pool(x)

    def pooled(self, x: Tensor, pool: MaxPool) -> Tensor:
        """``pool(self(x))``, fused where possible."""
        if self._absorbs(pool) and x.ndim == self.conv.window.ndim + 2:
            return pooled(self, pool, x)
        return pool(self(x))

    def _absorbs(self, pool: MaxPool) -> bool:
        """Whether ``pool`` after the block can be computed as its own."""
        known = self._modules.keys() <= PARTS - {"pool"} and isinstance(self.conv, Conv)
        return known and has_forward_of(ConvBlock, self) and not are_observed(self, pool, *self._modules.values())

    def _one_by_one(self, x: Tensor) -> Tensor:
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

    Each map is convolved separately, over places; then a convolution of size 1 mixes the maps, followed by
    normalisation and activation, with nothing between the two convolutions. Kaiser, Gomez & Chollet, ICLR 2018.

    Args: those of :class:`ConvBlock`.
    """
    depthwise = Conv(in_channels, in_channels, kernel_size, stride, padding, dilation, in_channels, False, ndim=ndim)
    pointwise = ConvBlock(in_channels, out_channels, 1, ndim=depthwise.window.ndim, norm=norm, activation=activation)
    return chain(depthwise=depthwise, pointwise=pointwise)


def factorised(
    in_channels: int,
    out_channels: int,
    kernel_size: PerAxis,
    *,
    ndim: int | None = None,
    stride: PerAxis = 1,
    padding: Padding = 0,
    middle: int | None = None,
    norm: str | None = "batch",
    activation: str | None = "relu",
) -> nn.Sequential:
    """A convolution over space and then one over time, which is the first axis: "(2+1)-D" instead of 3-D.

    ([batch,] in_channels, time, \\*size) -> ([batch,] out_channels, time, \\*size). Between the two are normalisation
    and activation, after them nothing; neither convolution has a bias. Tran et al., "A closer look at spatiotemporal
    convolutions for action recognition", CVPR 2018. Modules are named as in torchvision's Conv2Plus1D.

    Args: those of :class:`ConvBlock`, and
        middle: maps between the two; given by :func:`middle_maps` if None.

    Raises:
        UsageError: there is only one axis.
    """
    window = Window.parse(kernel_size, stride, padding, ndim=ndim, owner="factorised")
    if window.ndim < 2:
        raise UsageError("factorised: a convolution over one axis has no space beside its time; take a ConvBlock")
    still, around = [1] * (window.ndim - 1), [(0, 0)] * (window.ndim - 1)
    (time, *space), (step, *steps), (pad, *pads) = window.kernel, window.stride, window.padding
    if middle is None:
        middle = middle_maps(in_channels, out_channels, window.kernel)
    over_space = Conv(in_channels, middle, (1, *space), (1, *steps), ((0, 0), *pads), bias=False)
    over_time = Conv(middle, out_channels, (time, *still), (step, *still), (pad, *around), bias=False)
    between = make_norm(norm, middle), make_activation(activation)
    return nn.Sequential(over_space, *(part for part in between if part is not None), over_time)


def middle_maps(in_channels: int, out_channels: int, kernel: Sequence[int]) -> int:
    """The most maps between space and time with which a factorised kernel has no more weights than the full one."""
    time, *space = kernel
    places = math.prod(space)
    whole = in_channels * out_channels * time * places
    return max(1, whole // (in_channels * places + out_channels * time))
