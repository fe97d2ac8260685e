"""Convolution without weight sharing."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sigconv.errors import UsageError
from sigconv.padding import pad_constant
from sigconv.window import Padding, PerAxis, Sizes, Window


class LocallyConnected(nn.Module):
    """The windows of a convolution, each with its own weights.

    (batch, in_channels, \\*size) -> (batch, out_channels, \\*output size), for one ``size`` only.

    What is learned at one place is not known at another. LeCun, "Generalization and network design strategies", 1989,
    compares the two. Weights and biases are drawn as those of a convolution.

    Args:
        size: the input's size, a number for each axis.
        kernel_size, stride, padding: as in :class:`sigconv.layers.Conv`.

    Raises:
        UsageError: the window is larger than ``size``, or, when called, the signal has another size.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        size: Sequence[int],
        kernel_size: PerAxis,
        stride: PerAxis = 1,
        padding: Padding = 0,
    ) -> None:
        super().__init__()
        self.window = Window.parse(kernel_size, stride, padding, ndim=len(size), owner="LocallyConnected")
        self.shape: Sizes = (in_channels, *size)
        self.output_size = self.window.output_size(tuple(size))
        if min(self.output_size) < 1:
            raise UsageError(f"LocallyConnected: windows of {self.window.kernel} do not fit into {tuple(size)}")
        places, inputs = math.prod(self.output_size), in_channels * self.window.places
        self.weight = nn.Parameter(torch.empty(places, inputs, out_channels))
        self.bias = nn.Parameter(torch.empty(places, 1, out_channels))
        for parameter in (self.weight, self.bias):
            nn.init.uniform_(parameter, -(inputs**-0.5), inputs**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        if tuple(x.shape[1:]) != self.shape:
            raise UsageError(
                f"LocallyConnected: receives {tuple(x.shape[1:])} but has weights for the places of {self.shape}"
            )
        seen = pad_constant(x, self.window.padding)
        for axis, (kernel, stride) in enumerate(zip(self.window.kernel, self.window.stride, strict=True), start=2):
            seen = seen.unfold(axis, kernel, stride)  # (batch, channel, *places, *kernel), one axis more each time
        ndim = self.window.ndim
        by_place = seen.permute(*range(2, 2 + ndim), 0, 1, *range(2 + ndim, 2 + 2 * ndim))
        rows = by_place.flatten(ndim + 1).flatten(0, ndim - 1)
        made = torch.baddbmm(self.bias, rows, self.weight)  # (place, batch, out channel)
        return made.permute(1, 2, 0).unflatten(2, self.output_size)

    def extra_repr(self) -> str:
        window = self.window
        return f"{self.shape}, {self.weight.shape[-1]}, kernel_size={window.kernel}, stride={window.stride}"
