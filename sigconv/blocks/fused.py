"""Normalisation, ReLU and maximum pooling behind a convolution as one operation, where a kernel can do that."""

from __future__ import annotations

from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.nn.modules import module as torch_module

from .. import check, planner
from .. import functional as F
from ..layers import Conv, MaxPool
from ..normalised import normalised_max_pool
from ..pooled import convolved_max_pool
from ..pooling import rectified_max_pool
from ..window import PooledGeometry
from .norm import BatchNorm


def fused(block: nn.Module, pool: MaxPool, x: Tensor) -> Tensor | None:
    """``pool`` of what the block makes of x, or None where its parts and ``pool`` are to be done one by one."""
    parts = block._modules
    conv, norm = parts["conv"], parts.get("norm")
    assert isinstance(conv, Conv)
    if type(parts.get("activation")) is not nn.ReLU or pool.return_indices or pool.ceil_mode:
        return None
    if x.ndim != conv.window.ndim + 2 or pool.window.ndim != conv.window.ndim or _are_observed(block, pool):
        return None
    geometry = PooledGeometry(conv.window, tuple(x.shape[2:]), conv.groups, pool=pool.window)
    if not planner.has_fused_pool(geometry.pooling, x, conv.out_channels):
        return None
    if norm is None:
        return _rectified(conv, x, geometry)
    if type(norm) is not BatchNorm or not norm.training or norm.weight is None or _is_forward_mode():
        return None
    z = conv(x)
    y, mean, var = normalised_max_pool(z, norm.weight, norm.bias, norm.eps, geometry.pooling)
    norm.track(mean, var, z.numel() // z.shape[1])
    return y


def _rectified(conv: Conv, x: Tensor, geometry: PooledGeometry) -> Tensor:
    shift = conv.weight.new_zeros(conv.out_channels) if conv.bias is None else conv.bias
    if set(conv.padding_mode) == {"zeros"} and not _is_forward_mode():
        check.convolution(conv, x, conv.weight, shift, conv.window.ndim, conv.groups)
        if planner.has_gradients_of_winners(geometry, x, conv.weight):
            return convolved_max_pool(x, conv.weight, shift, geometry)
    y = F.convolve(x, conv.weight, None, conv.window, conv.groups, conv.padding_mode, conv)
    return rectified_max_pool(y, shift, geometry.pooling)


def _is_forward_mode() -> bool:
    return forward_ad._current_level >= 0


def _are_observed(block: nn.Module, pool: nn.Module) -> bool:
    """Whether anybody wants to see what goes into the modules or their parts, or comes out of them."""
    return bool(torch_module._global_forward_hooks or torch_module._global_forward_pre_hooks) or any(
        module._forward_hooks or module._forward_pre_hooks or module._backward_hooks or module._backward_pre_hooks
        for module in (block, pool, *block.children())
    )
