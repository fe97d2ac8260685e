"""Fully connected layers, computed by the library that is faster on this processor."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sigconv import backends
from sigconv.kernels.problem import is_autocast, is_forward_mode, is_plain
from sigconv.operations.differentiable import Differentiable, is_differentiated_again


class Linear(nn.Linear):
    """torch.nn.Linear, computed by oneDNN in float32 where :data:`sigconv.backends.linear_by_onednn` says so.

    (..., in_features) -> (..., out_features)
    """

    def forward(self, input: Tensor) -> Tensor:
        operands = [input, self.weight] + ([] if self.bias is None else [self.bias])
        by_onednn = backends.linear_by_onednn and all(t.dtype == torch.float32 and t.is_cpu for t in operands)
        fits = input.shape[-1:] == (self.in_features,)  # what does not is torch's to refuse
        if not by_onednn or not fits or is_forward_mode() or is_autocast(input) or not is_plain(operands):
            return super().forward(input)
        rows = input.reshape(-1, self.in_features)
        return _Linear.call(rows, self.weight, self.bias).reshape(*input.shape[:-1], self.out_features)


class _Linear(Differentiable):
    """x w^T + b: x (rows, inputs), w (outputs, inputs), b (outputs,) -> (rows, outputs)."""

    @staticmethod
    def forward(x: Tensor, w: Tensor, b: Tensor | None) -> Tensor:
        return _product(x, w, b)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs[:2])

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        x, w = ctx.saved_tensors
        # torch's own product has derivatives, and sums over no rows.
        product = F.linear if is_differentiated_again(g) or not len(g) else _product
        gx = product(g, w.t()) if ctx.needs_input_grad[0] else None
        gw = product(g.t(), x.t()) if ctx.needs_input_grad[1] else None
        return gx, gw, g.sum(0) if ctx.needs_input_grad[2] else None


def _product(x: Tensor, w: Tensor, b: Tensor | None = None) -> Tensor:
    # oneDNN reads a bias as contiguous.
    return torch.ops.mkldnn._linear_pointwise(x, w, b if b is None else b.contiguous(), "none", [], "")
