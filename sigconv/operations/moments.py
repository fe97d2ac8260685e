"""Mean and variance of each map of each signal as a differentiable function.

With n places, gx = g_mean / n + 2 g_var (x - mean) / n: one factor and one summand for each map.
"""

from typing import Any

import torch
from torch import Tensor

from sigconv import planner
from sigconv.geometry import each_place
from sigconv.kernels.problem import is_forward_mode
from sigconv.operations.differentiable import Differentiable, by_autograd, is_differentiated_again


class _Moments(Differentiable):
    """Saves x in its own dtype, not its float32 copy."""

    @staticmethod
    def forward(x: Tensor) -> tuple[Tensor, Tensor]:
        x = _wide(x)
        if not _is_ours(x):
            return _of_torch(x)
        mean, var = planner.kernel("moments", each_place(x.shape[2:]), (x,))(x)
        return mean.to(x.dtype), var.to(x.dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        ctx.save_for_backward(inputs[0], output[0])

    @staticmethod
    def backward(ctx: Any, g_mean: Tensor, g_var: Tensor) -> Tensor | None:
        x, mean = ctx.saved_tensors
        if is_differentiated_again(g_mean, g_var):
            return by_autograd(_of_torch, (x,), (g_mean, g_var))[0]
        wide, count = _wide(x), x.shape[2:].numel()
        slope = g_var * (2 / count)
        kernel = planner.kernel("scaled", each_place(x.shape[2:]), (wide,))
        return kernel(wide, slope, g_mean / count - slope * mean).to(x.dtype)


def moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and biased variance over places: x (batch, channel, *size) -> two (batch, channel), in float32 at least."""
    is_narrow = x.dtype != _wide_dtype(x) and not torch.compiler.is_compiling() and not is_forward_mode()
    return _Moments.call(x) if is_narrow or _is_ours(x) else _of_torch(x)


def _of_torch(x: Tensor) -> tuple[Tensor, Tensor]:
    var, mean = torch.var_mean(_wide(x).flatten(2), 2, correction=0)
    return mean, var


def _is_ours(x: Tensor) -> bool:
    return planner.is_ours("moments", each_place(x.shape[2:]), x)


def _wide(x: Tensor) -> Tensor:
    return x.to(_wide_dtype(x))


def _wide_dtype(x: Tensor) -> torch.dtype:
    return torch.promote_types(x.dtype, torch.float32)
