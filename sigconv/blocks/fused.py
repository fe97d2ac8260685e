"""Convolution, normalisation, activation and max pooling, fused to take less time and memory than one by one."""

import math
from collections.abc import Sequence

from torch import Tensor, nn

from sigconv import functional as F
from sigconv import planner
from sigconv.blocks.activation import ScaledTanh
from sigconv.blocks.norm import BatchNorm
from sigconv.blocks.observed import has_forward_of
from sigconv.geometry import PooledGeometry
from sigconv.kernels.problem import is_autocast
from sigconv.layers import Conv, MaxPool
from sigconv.layout import preferred
from sigconv.operations import check
from sigconv.operations.batch_norm import normalised_max_pool
from sigconv.operations.conv_max_pool import convolved_max_pool
from sigconv.operations.pooling import rectified_max_pool

RISING = (nn.ReLU, nn.Sigmoid, nn.Tanh, ScaledTanh)
"""Monotonically increasing activations: the maximum of their outputs is their output at the maximum."""


def activated(block: nn.Module, x: Tensor) -> Tensor:
    """A block's convolution, normalisation and activation of x, the last two fused where that is faster.

    This and :func:`pooled` call no hooks, so they call forward instead of the modules, which saves some microseconds:
    check :func:`.observed.are_observed` first.
    """
    conv, norm, activation = _parts(block)
    y = _convolved(conv, x)
    if type(norm) is BatchNorm and type(activation) is nn.ReLU:
        return norm.rectified(y)
    return _without_hooks((norm, activation), y)


def pooled(block: nn.Module, pool: MaxPool, x: Tensor) -> Tensor:
    """``pool`` of a block's convolution, normalisation and activation of x, some or all of these fused.

    The maximum is taken before an increasing activation, which then has less to do.
    """
    conv, norm, activation = _parts(block)
    parts = [norm, activation, pool]
    rises = activation is None or type(activation) in RISING
    if rises and not pool.return_indices:
        y = _fused(conv, norm, activation, pool, x)
        if y is not None:
            return y
        parts = [norm, pool, activation]
    return _without_hooks(parts, _convolved(conv, x))


def laid_out(x: Tensor, conv: Conv) -> Tensor:
    """A batch in channels-last; a single signal as it is."""
    return preferred(x) if x.ndim == conv.window.ndim + 2 else x


def _convolved(conv: Conv, x: Tensor) -> Tensor:
    """What the convolution makes of x in channels-last."""
    if not has_forward_of(Conv, conv):
        return conv.forward(laid_out(x, conv))
    return F.convolve(x, conv.weight, conv.bias, conv.window, conv.groups, conv.modes, conv, innermost=True)


def _without_hooks(parts: Sequence[nn.Module | None], x: Tensor) -> Tensor:
    for part in parts:
        x = x if part is None else part.forward(x)
    return x


def _parts(block: nn.Module) -> tuple[Conv, nn.Module | None, nn.Module | None]:
    parts = block._modules
    conv = parts["conv"]
    assert isinstance(conv, Conv)
    return conv, parts.get("norm"), parts.get("activation")


def _fused(conv: Conv, norm: nn.Module | None, activation: nn.Module | None, pool: MaxPool, x: Tensor) -> Tensor | None:
    """The same with several parts fused into one operation, if there is one."""
    if not has_forward_of(Conv, conv) or pool.ceil_mode:
        return None
    if x.ndim != conv.window.ndim + 2 or pool.window.ndim != conv.window.ndim:
        return None
    operation = "rectified_max_pool" if norm is None else "normalised_max_pool"
    if not planner.has_fused_pool(operation, conv.window, pool.window, x, conv.out_channels):
        return None
    geometry = PooledGeometry(conv.window, tuple(x.shape[2:]), conv.groups, pool=pool.window)
    rectifies = type(activation) is nn.ReLU
    if norm is None:
        y = _of_winners(conv, rectifies, x, geometry)
        if y is None:
            return _rectified(conv, x, geometry) if rectifies else None
        return y if rectifies or activation is None else activation(y)
    return _normalised(conv, norm, x, geometry) if rectifies and type(norm) is BatchNorm else None


def _of_winners(conv: Conv, rectifies: bool, x: Tensor, geometry: PooledGeometry) -> Tensor | None:
    """Convolution and pooling, if kernels backpropagate through the convolution from winners alone."""
    if set(conv.modes) != {"zeros"} or is_autocast(x):
        return None
    check.convolution(conv, x, conv.weight, conv.bias, conv.window, conv.groups)
    x = preferred(x)
    if not planner.has_gradients_of_winners(geometry, x, conv.weight):
        return None
    return convolved_max_pool(x, conv.weight, _shift(conv), geometry, rectified=rectifies)


def _rectified(conv: Conv, x: Tensor, geometry: PooledGeometry) -> Tensor:
    y = F.convolve(x, conv.weight, None, conv.window, conv.groups, conv.modes, conv, innermost=True)
    return rectified_max_pool(y, _shift(conv), geometry.pooling)


def _normalised(conv: Conv, norm: BatchNorm, x: Tensor, geometry: PooledGeometry) -> Tensor | None:
    numbers = len(x) * math.prod(geometry.pooling.size)
    if not norm.is_plain(x) or numbers < 2:  # one has no variance: the norm will raise
        return None
    z = _convolved(conv, x)
    norm._check_input_dim(z)
    y, mean, var = normalised_max_pool(z, norm.weight, norm.bias, norm.eps, geometry.pooling)
    norm.track(mean, var, numbers)
    return y


def _shift(conv: Conv) -> Tensor:
    return conv.weight.new_zeros(conv.out_channels) if conv.bias is None else conv.bias
