"""What in an input excites a place of a layer: back through the network, with a special rule at each ReLU.

Convolutions are traversed backwards with their own weights, and max pooling by its switches, the places of its winners;
at a ReLU with the input x, an error g becomes

    deconvolution   relu(g)             Zeiler & Fergus, "Visualizing and understanding convolutional networks", 2014
    guided          relu(g) [x > 0]     Springenberg et al., "Striving for simplicity", 2015
    gradient        g [x > 0]
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from sigconv.explain.layers import activity
from sigconv.names import known

RULES: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "deconvolution": lambda g, active: g.clamp(min=0),
    "guided": lambda g, active: g.clamp(min=0) * active,
    "gradient": lambda g, active: g * active,
}
_RELUS = (torch.relu, torch.relu_, F.relu, F.relu_, Tensor.relu, Tensor.relu_)
_IN_PLACE = (torch.relu_, F.relu_, Tensor.relu_)


class _Rectify(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, rule: str) -> Tensor:
        ctx.rule = rule
        ctx.save_for_backward(x > 0)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None]:
        return RULES[ctx.rule](g, *ctx.saved_tensors), None


class _Ruled(TorchFunctionMode):
    """Gives every ReLU that is computed in this context, however it is called, this rule for its backward pass."""

    def __init__(self, rule: str) -> None:
        super().__init__()
        self.rule = rule

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func not in _RELUS:
            return func(*args, **(kwargs or {}))
        return self._rectified(*args, in_place=func in _IN_PLACE, **(kwargs or {}))

    def _rectified(self, input: Tensor, inplace: bool = False, *, in_place: bool = False) -> Tensor:
        y = _Rectify.apply(input, self.rule)
        return input.copy_(y) if inplace or in_place else y


@torch.enable_grad()
def projection(
    network: nn.Module, layer: str, x: Tensor, feature: int, place: Sequence[int], rule: str = "deconvolution"
) -> Tensor:
    """What in x excites one place of one map: x (channels, \\*size) -> the same shape.

    Args:
        network: in evaluation mode.
        feature, place: the map, and the place in it, an index for each axis.
        rule: one of :data:`RULES`.

    Raises:
        UsageError: there is no such layer or rule.
    """
    known("rule", rule, RULES)
    leaf = x.detach().clone().requires_grad_()
    with _Ruled(rule):
        y = activity(network, layer, leaf[None])
    return torch.autograd.grad(y[(0, feature, *place)], leaf)[0]
