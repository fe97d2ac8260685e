"""Pixel values on a scale that suits a network."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sigconv.errors import UsageError


class Standardise(nn.Module):
    """Scales pixel values 0..255 to zero mean and unit variance: ``(x / 255 - mean) / std``.

    Args:
        mean: the mean of the training pictures, on a scale of 0..1; one number, or one per channel.
        std: their standard deviation, likewise. Both are buffers, so that a saved network carries them.

    Shape: (N, C, H, W), uint8 or floating, to the same shape in the module's dtype: torch's default dtype
    at construction, or that of a later ``.to(dtype)``.

    Raises:
        UsageError: a deviation that is not positive; at call, channels that do not match the numbers.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: float | Sequence[float], std: float | Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.get_default_dtype()).reshape(-1, 1, 1))
        self.register_buffer("std", torch.tensor(std, dtype=torch.get_default_dtype()).reshape(-1, 1, 1))
        if not (self.std > 0).all():
            raise UsageError(f"Standardise: std is {std}, but it must be positive; are all pictures alike?")

    def extra_repr(self) -> str:
        return f"mean={self.mean.flatten().tolist()}, std={self.std.flatten().tolist()}"

    def forward(self, images: Tensor) -> Tensor:
        channels = images.shape[-3] if images.ndim >= 3 else 0
        for name, numbers in (("mean", self.mean), ("std", self.std)):
            if len(numbers) not in (1, channels):
                raise UsageError(
                    f"Standardise: {name} has numbers for {len(numbers)} channels, "
                    f"but the pictures {tuple(images.shape)} have {channels}"
                )
        return (images.to(self.mean.dtype) / 255 - self.mean) / self.std
