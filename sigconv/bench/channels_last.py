"""torch.nn in channels-last, which it has for two and three axes: signals of one axis become pictures of height 1."""

from functools import singledispatch
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.utils import _single

from sigconv.bench.swap import swapped
from sigconv.bench.twin import PlainBatchNorm


class AsPicture(nn.Module):
    """A layer for pictures, applied to (batch, channels, time). Channels-last stays channels-last: these are views."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x.unsqueeze(2)).squeeze(2)


def in_channels_last(network: nn.Module, ndim: int) -> nn.Module:
    """``network``, made of torch.nn's layers for ``ndim`` axes, with its weights in channels-last; changed in place.

    The parameters of layers along one axis are replaced by new ones with an axis of size 1 added, in the same order.
    """
    if ndim == 1:
        network = swapped(network, _lifted)
    memory_format: torch.memory_format = torch.channels_last_3d if ndim == 3 else torch.channels_last
    return network.to(memory_format=memory_format)


@singledispatch
def _lifted(layer: nn.Module) -> nn.Module:
    return layer


@_lifted.register(nn.Conv1d)
@_lifted.register(nn.ConvTranspose1d)
def _(layer: Any) -> nn.Module:
    options = {"groups": layer.groups, "bias": False, "device": "meta"}
    if layer.transposed:
        options["output_padding"] = (0, *layer.output_padding)
    picture: Any = (nn.ConvTranspose2d if layer.transposed else nn.Conv2d)(
        layer.in_channels,
        layer.out_channels,
        (1, *layer.kernel_size),
        (1, *layer.stride),
        (0, *layer.padding),
        dilation=(1, *layer.dilation),
        **options,
    )
    picture.weight, picture.bias = nn.Parameter(layer.weight.detach().unsqueeze(2)), layer.bias
    return AsPicture(picture)


@_lifted.register(nn.MaxPool1d)
def _(layer: Any) -> nn.Module:
    kernel, stride = (1, *_single(layer.kernel_size)), (1, *_single(layer.stride))
    padding, dilation = (0, *_single(layer.padding)), (1, *_single(layer.dilation))
    return AsPicture(nn.MaxPool2d(kernel, stride, padding, dilation, ceil_mode=layer.ceil_mode))


@_lifted.register
def _(layer: nn.ConstantPad1d) -> nn.Module:
    return AsPicture(nn.ConstantPad2d((*layer.padding, 0, 0), layer.value))


@_lifted.register
def _(layer: PlainBatchNorm) -> nn.Module:
    return AsPicture(layer)
