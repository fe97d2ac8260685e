"""Modules that remove axes: by folding them into the channels, flattening, or taking statistics over them."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sigconv.errors import UsageError
from sigconv.layout import mean, preferred
from sigconv.operations.moments import moments
from sigconv.window import Sizes


class Flatten(nn.Module):
    """([batch,] \\*shape) -> ([batch,] features), for one ``shape`` only, as the weights after it require."""

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.shape: Sizes = tuple(shape)

    def forward(self, x: Tensor) -> Tensor:
        rank = len(self.shape)
        if x.shape[-rank:] != self.shape:
            raise UsageError(
                f"Flatten: receives {tuple(x.shape[-rank:])} but the network was built for {self.shape} here; "
                "give it signals of the size that it was built for"
            )
        return x.reshape(*x.shape[:-rank], math.prod(self.shape))

    def extra_repr(self) -> str:
        return f"shape={self.shape}"


class Fold(nn.Module):
    """Keep the last ``ndim`` axes and fold those before them into the channels; the batch axis is left alone.

    With ``ndim=1`` a spectrogram (batch, channels, bands, frames) becomes (batch, channels * bands, frames), and a
    waveform (batch, channels, samples) stays as it is.

    Raises:
        UsageError: the signal has fewer axes than ``ndim``.
    """

    def __init__(self, ndim: int) -> None:
        super().__init__()
        self.ndim = ndim

    def forward(self, x: Tensor) -> Tensor:
        batch, *shape = x.shape
        return x.reshape(batch, *self.folded(shape))

    def folded(self, shape: Sequence[int]) -> Sizes:
        """The shape that (channels, \\*size) is folded to."""
        kept = len(shape) - self.ndim
        if self.ndim < 1 or kept < 1:
            axes = len(shape) - 1
            raise UsageError(f"ndim is {self.ndim}; (channels, *size) = {tuple(shape)} has {axes} axes to choose from")
        return math.prod(shape[:kept]), *shape[kept:]

    def extra_repr(self) -> str:
        return f"ndim={self.ndim}"


class Preferred(nn.Module):
    """A batch of signals in the layout that kernels prefer on its device, :func:`sigconv.layout.preferred`."""

    def forward(self, x: Tensor) -> Tensor:
        return preferred(x)


class GlobalAvgPool(nn.Module):
    """The mean of each map, (batch, channels, \\*size) -> (batch, channels), for any number of axes and any size."""

    def forward(self, x: Tensor) -> Tensor:
        return mean(x, range(2, x.ndim)).flatten(1)


class StatisticsPooling(nn.Module):
    """Mean and standard deviation of each map, (batch, channels, \\*size) -> (batch, 2 * channels).

    Means come first. The deviation divides by the number of places and is clamped to at least 1e-5, with no gradient
    below, so that a constant map is safe. Computed in float32 at least.

    Snyder et al., "Deep neural network embeddings for text-independent speaker verification", Interspeech 2017.
    """

    def forward(self, x: Tensor) -> Tensor:
        middle, variance = moments(x)
        return torch.cat([middle, variance.clamp(min=1e-10).sqrt()], 1).to(x.dtype)
