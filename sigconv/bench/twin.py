"""The same network made of torch.nn's layers, one after the other: the reverse of :func:`sigconv.convert`."""

import copy
from collections import OrderedDict
from functools import singledispatch
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from sigconv.bench.swap import swapped
from sigconv.blocks import BatchNorm, Chain, ConvBlock, Linear, Preferred, StatisticsPooling
from sigconv.layers import AdaptiveAvgPool, AdaptiveMaxPool, AvgPool, Conv, MaxPool
from sigconv.window import Window


class PlainBatchNorm(_BatchNorm):
    """torch's own for any number of axes; its 1d, 2d and 3d versions differ only in the check of that number."""

    def _check_input_dim(self, input: Any) -> None:
        pass


class PlainStatisticsPooling(nn.Module):
    """Statistics pooling as one would write it with torch's operations."""

    def forward(self, x: Tensor) -> Tensor:
        variance, mean = torch.var_mean(x.flatten(2), 2, correction=0)
        return torch.cat([mean, variance.clamp(min=1e-10).sqrt()], 1)


def torch_twin(network: nn.Module) -> nn.Module:
    """A copy of ``network`` without a layer or block of ours; parameters have equal values and the same order."""
    return swapped(copy.deepcopy(network), _of_torch)


@singledispatch
def _of_torch(module: nn.Module) -> nn.Module:
    return module


@_of_torch.register
def _(module: Conv) -> nn.Module:
    window, (padding, ahead) = module.window, _padding(module.window, 0.0)
    conv = _torch("Conv", window)(
        module.in_channels,
        module.out_channels,
        window.kernel,
        window.stride,
        padding,
        window.dilation,
        module.groups,
        bias=module.bias is not None,
        device="meta",
    )
    conv.weight, conv.bias = module.weight, module.bias
    return _behind(ahead, conv)


@_of_torch.register
def _(module: MaxPool) -> nn.Module:
    window, (padding, ahead) = module.window, _padding(module.window, float("-inf"))
    pool = _torch("MaxPool", window)(
        window.kernel, window.stride, padding, window.dilation, module.return_indices, module.ceil_mode
    )
    return _behind(ahead, pool)


@_of_torch.register
def _(module: AvgPool) -> nn.Module:
    window, (padding, ahead) = module.window, _padding(module.window, 0.0)
    return _behind(
        ahead,
        _torch("AvgPool", window)(window.kernel, window.stride, padding, module.ceil_mode, module.count_include_pad),
    )


@_of_torch.register
def _(module: AdaptiveMaxPool) -> nn.Module:
    return getattr(nn, f"AdaptiveMaxPool{len(module.output_size)}d")(module.output_size, module.return_indices)


@_of_torch.register
def _(module: AdaptiveAvgPool) -> nn.Module:
    return getattr(nn, f"AdaptiveAvgPool{len(module.output_size)}d")(module.output_size)


@_of_torch.register
def _(module: BatchNorm) -> nn.Module:
    twin = PlainBatchNorm(
        module.num_features, module.eps, module.momentum, module.affine, module.track_running_stats, device="meta"
    )
    twin.load_state_dict(module.state_dict(), assign=True)
    return twin


@_of_torch.register
def _(module: StatisticsPooling) -> nn.Module:
    return PlainStatisticsPooling()


@_of_torch.register
def _(module: Preferred) -> nn.Module:
    return nn.Identity()


@_of_torch.register
def _(module: Linear) -> nn.Module:
    twin = nn.Linear(module.in_features, module.out_features, module.bias is not None, device="meta")
    twin.weight, twin.bias = module.weight, module.bias
    return twin


@_of_torch.register(Chain)
@_of_torch.register(ConvBlock)
def _(module: nn.Module) -> nn.Module:
    return nn.Sequential(OrderedDict(module.named_children()))


def _torch(layer: str, window: Window) -> Any:
    return getattr(nn, f"{layer}{window.ndim}d")


def _padding(window: Window, value: float) -> tuple[tuple[int, ...], nn.Module | None]:
    """The padding for torch's layer, and a layer that pads before it where padding is uneven, which it cannot do."""
    if all(before == after for before, after in window.padding):
        return tuple(before for before, _ in window.padding), None
    sides = [side for pair in reversed(window.padding) for side in pair]
    return (0,) * window.ndim, getattr(nn, f"ConstantPad{window.ndim}d")(sides, value)


def _behind(ahead: nn.Module | None, layer: nn.Module) -> nn.Module:
    return layer if ahead is None else nn.Sequential(ahead, layer)
