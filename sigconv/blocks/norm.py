"""Normalisation layers, by name where they need nothing but the number of channels."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from sigconv import planner
from sigconv.blocks.observed import are_observed
from sigconv.errors import UsageError
from sigconv.layout import is_channels_last
from sigconv.names import named
from sigconv.operations.batch_norm import normalised


class BatchNorm(_BatchNorm):
    """Batch normalisation, (batch, num_features, *size) -> the same shape, for any number of axes, none included.

    Arguments, parameters and state_dict are those of torch.nn.BatchNorm1d, 2d and 3d. Ioffe & Szegedy, ICML 2015.

    Raises:
        UsageError: the input has no batch axis, or another number of channels.
    """

    def _check_input_dim(self, input: Tensor) -> None:
        if input.ndim < 2 or input.shape[1] != self.num_features:
            raise UsageError(
                f"BatchNorm({self.num_features}): input has shape {tuple(input.shape)}; "
                f"it must be (batch, {self.num_features}, ...)"
            )

    def forward(self, input: Tensor) -> Tensor:
        # torch has a fast kernel for channels-last pictures, and would copy signals of one axis.
        if input.ndim == 3 and is_channels_last(input):
            return super().forward(input.unsqueeze(2)).squeeze(2)
        return super().forward(input)

    def is_plain(self, x: Tensor) -> bool:
        """Whether it uses the batch's own statistics and a weight and bias for each channel, as our kernels do.

        In x's dtype, or in float32 for an x in less: torch refuses the rest.
        """
        weight = self.weight
        if not self.training or weight is None or self.bias is None:
            return False
        return weight.dtype == x.dtype or (weight.dtype == torch.float32 and x.element_size() < 4)

    def rectified(self, x: Tensor) -> Tensor:
        """ReLU of the normalised signal, by one operation where that is faster; calls no hooks."""
        if planner.rectifies(x) and self.is_plain(x):
            self._check_input_dim(x)  # kernels would take more channels for bands
            return self.by_kernel(x, rectified=True)
        return torch.relu(self.forward(x))

    def by_kernel(self, x: Tensor, *, rectified: bool = False) -> Tensor:
        """x (batch, channel, *size), possibly in bands, normalised by our kernel, then ReLU if ``rectified``."""
        y, mean, var = normalised(x, self.weight, self.bias, self.eps, rectified=rectified)
        self.track(mean, var, x.numel() // len(mean))
        return y

    def track(self, mean: Tensor, var: Tensor, count: int) -> None:
        """Update the running statistics with a batch's mean and biased variance, each over ``count`` numbers."""
        if not self.track_running_stats or self.running_mean is None or self.running_var is None:
            return
        with torch.no_grad():
            share = self.momentum or 0.0
            if self.num_batches_tracked is not None:
                self.num_batches_tracked.add_(1)
                share = 1 / self.num_batches_tracked.item() if self.momentum is None else self.momentum
            self.running_mean.mul_(1 - share).add_(mean, alpha=share)
            self.running_var.mul_(1 - share).add_(var, alpha=share * count / (count - 1))


class SubSpectralNorm(nn.Module):
    """Batch normalisation of each sub-band separately, (batch, channels, frequency, *size) -> the same shape.

    Frequency, the first spatial axis, is cut into ``sub_bands`` of equal height, each of which has its own mean,
    variance, weight and bias in each channel. Chang et al., "Subspectral normalization for neural audio data
    processing", ICASSP 2021.

    Raises:
        UsageError: the height is not a multiple of ``sub_bands``.
    """

    def __init__(self, channels: int, sub_bands: int) -> None:
        super().__init__()
        if sub_bands < 1:
            raise UsageError(f"SubSpectralNorm: sub_bands is {sub_bands}; it must be at least 1")
        self.sub_bands = sub_bands
        self.norm = BatchNorm(channels * sub_bands)

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, height, *size = x.shape
        if height % self.sub_bands:
            raise UsageError(f"SubSpectralNorm: cannot cut {height} frequencies into {self.sub_bands} equal sub-bands")
        # The norm may have been replaced, say by one that works across processes.
        known = type(self.norm) is BatchNorm and self.norm.is_plain(x) and not are_observed(self.norm)
        factors = channels * self.sub_bands
        if known and factors == self.norm.num_features and is_channels_last(x) and planner.normalises(x, factors):
            return self.norm.by_kernel(x)
        bands = x.reshape(batch, factors, height // self.sub_bands, *size)
        return self.norm(bands).reshape(x.shape)


# From a number of channels to a layer that normalises them. One group is layer normalisation, over channels and places.
NORMS: Mapping[str, Callable[[int], nn.Module | None]] = {
    "batch": BatchNorm,
    "layer": lambda channels: nn.GroupNorm(1, channels),
    "none": lambda channels: None,
}


def check_causal(norm: str | None, causal: bool) -> None:
    """Raises UsageError for a norm that looks ahead in time, where nothing is to do so."""
    if causal and norm == "layer":
        raise UsageError("norm=layer takes means over all of time, and so looks ahead; where causal, take norm=batch")


def make_norm(name: str | None, channels: int) -> nn.Module | None:
    """One of :data:`NORMS`; None for none."""
    return named("norm", name, NORMS)(channels)
