"""What in an input excites a place of a layer: back through the network, past each ReLU by another rule.

Convolutions go back by their own weights, and max pooling by the switches that its winners are; at a ReLU with the
input x, an error g becomes

    deconvolution   relu(g)             Zeiler & Fergus, "Visualizing and understanding convolutional networks", 2014
    guided          relu(g) [x > 0]     Springenberg et al., "Striving for simplicity", 2015
    gradient        g [x > 0]
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as T
from torch.overrides import TorchFunctionMode

from ..names import named
from .layers import activity

RULES: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "deconvolution": lambda g, x: g.clamp(min=0),
    "guided": lambda g, x: torch.where(x > 0, g.clamp(min=0), 0),
    "gradient": lambda g, x: torch.where(x > 0, g, 0),
}
_RELUS = (torch.relu, torch.relu_, T.relu, Tensor.relu, Tensor.relu_)


class _Rectify(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, rule: str) -> Tensor:
        ctx.rule = rule
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None]:
        return RULES[ctx.rule](g, *ctx.saved_tensors), None


class _Ruled(TorchFunctionMode):
    """Every ReLU that is computed meanwhile, however it is called, has this rule for its backward pass."""

    def __init__(self, rule: str) -> None:
        super().__init__()
        self.rule = rule

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _Rectify.apply(args[0], self.rule) if func in _RELUS else func(*args, **(kwargs or {}))


@torch.enable_grad()
def projection(
    network: nn.Module, layer: str, x: Tensor, feature: int, place: Sequence[int], rule: str = "deconvolution"
) -> Tensor:
    """What in x excites one place of one map: x (channels, \\*size) -> the same shape.

    Args:
        network: in evaluation.
        feature, place: the map, and where in it, a number for each axis.
        rule: one of :data:`RULES`.

    Raises:
        UsageError: there is no such layer or rule.
    """
    named("rule", rule, RULES)
    leaf = x.detach().clone().requires_grad_()
    with _Ruled(rule):
        y = activity(network, layer, leaf[None])
    return torch.autograd.grad(y[(0, feature, *place)], leaf)[0]
