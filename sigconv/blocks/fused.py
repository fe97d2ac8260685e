"""Normalisation, ReLU and maximum pooling behind a convolution as one operation, where a kernel can do that."""

from __future__ import annotations

from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.nn.modules import module as torch_module

from .. import functional as F
from .. import planner
from ..layers import Conv, MaxPool
from ..normalised import normalised_max_pool
from ..pooling import rectified_max_pool
from ..window import Geometry
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
    geometry = Geometry(pool.window, conv.window.output_size(tuple(x.shape[2:])))
    if not planner.has_fused_pool(geometry, x, conv.out_channels):
        return None
    if norm is None:
        y = F.convolve(x, conv.weight, None, conv.window, conv.groups, conv.padding_mode, conv)
        return rectified_max_pool(y, y.new_zeros(len(conv.weight)) if conv.bias is None else conv.bias, geometry)
    if type(norm) is not BatchNorm or not norm.training or norm.weight is None or forward_ad._current_level >= 0:
        return None
    z = conv(x)
    y, mean, var = normalised_max_pool(z, norm.weight, norm.bias, norm.eps, geometry)
    norm.track(mean, var, z.numel() // z.shape[1])
    return y


def _are_observed(block: nn.Module, pool: nn.Module) -> bool:
    """Whether anybody wants to see what goes into the modules or their parts, or comes out of them."""
    return bool(torch_module._global_forward_hooks or torch_module._global_forward_pre_hooks) or any(
        module._forward_hooks or module._forward_pre_hooks or module._backward_hooks or module._backward_pre_hooks
        for module in (block, pool, *block.children())
    )
