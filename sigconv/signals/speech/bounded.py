"""Learned parameters that stay within bounds."""

import torch
from torch import Tensor, nn

from sigconv.errors import UsageError


class Bounded(nn.Module):
    """Numbers between two bounds, whatever the optimiser does: lower + (upper - lower) * sigmoid(raw).

    ``raw`` is what is learned. It is of the order of one whatever the unit, so that one learning rate suits
    frequencies in Hz and exponents alike.

    Args:
        start: the initial values, of any shape, each strictly between the bounds.
        learned: whether ``raw`` is a parameter, or else a buffer.
    """

    raw: Tensor

    def __init__(self, start: Tensor, lower: float, upper: float, learned: bool = True) -> None:
        super().__init__()
        if not ((lower < start) & (start < upper)).all():
            raise UsageError(
                f"learned numbers must start strictly between {lower:g} and {upper:g}, "
                f"but go from {start.min():g} to {start.max():g}"
            )
        self.lower, self.upper = lower, upper
        raw = torch.logit((start.double() - lower) / (upper - lower)).to(start.dtype)
        if learned:
            self.raw = nn.Parameter(raw)
        else:
            self.register_buffer("raw", raw)

    def extra_repr(self) -> str:
        return f"{self.lower:g}..{self.upper:g}, shape={tuple(self.raw.shape)}"

    def forward(self) -> Tensor:
        return self.lower + (self.upper - self.lower) * torch.sigmoid(self.raw)
