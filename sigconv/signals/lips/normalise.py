"""Videos of mouths on a scale that suits a network, whatever the light and the camera."""

import torch
from torch import Tensor, nn

from sigconv.errors import UsageError


class ClipNorm(nn.Module):
    """Scales each channel of each clip to zero mean and unit variance, which removes the effect of light and camera.

    Frames without a picture, all zeros as around a short clip, do not count, and stay zero.

    Args:
        epsilon: added to the variance, so that a constant clip becomes zero, not noise.

    Shape: (B, C, T, H, W), uint8 or floating, to the same shape; integers become torch's default dtype, a floating
    dtype is kept. Computed in at least float32.

    Raises:
        UsageError: at call, anything but a batch of videos.
    """

    def __init__(self, epsilon: float = 1e-5) -> None:
        super().__init__()
        self.epsilon = epsilon

    def extra_repr(self) -> str:
        return f"epsilon={self.epsilon:g}"

    def forward(self, videos: Tensor) -> Tensor:
        if videos.ndim != 5:
            raise UsageError(
                "ClipNorm takes videos (batch, channels, frames, height, width), "
                f"but was given {tuple(videos.shape)} of {videos.dtype}"
            )
        dtype = videos.dtype if videos.is_floating_point() else torch.get_default_dtype()
        x = videos.to(torch.promote_types(dtype, torch.float32))
        shown = has_picture(x)
        centred = (x - mean_frame(x, shown).mean((-2, -1), keepdim=True)) * shown
        variance = mean_frame(centred.square(), shown).mean((-2, -1), keepdim=True)
        return (centred * (variance + self.epsilon).rsqrt()).to(dtype)


def has_picture(videos: Tensor) -> Tensor:
    """Which frames are not padding (all zeros): (B, C, T, H, W) -> (B, 1, T, 1, 1), bool."""
    return videos.abs().amax((1, 3, 4), keepdim=True) > 0


def mean_frame(videos: Tensor, shown: Tensor) -> Tensor:
    """The mean of the frames that are ``shown`` (B, 1, T, 1, 1), zeros if none is: (B, C, 1, H, W)."""
    return (videos * shown).sum(2, keepdim=True) / shown.sum(2, keepdim=True).clamp(min=1)
