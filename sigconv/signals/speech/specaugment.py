"""Spectrograms that are partly masked: batched augmentation on the device."""

import torch
from torch import Tensor, nn

from sigconv.errors import UsageError
from sigconv.signals.draw import draw_masks


class SpectrogramAugmentation(nn.Module):
    """Base class of all augmentation of spectrograms; a subclass implements `augment`.

    Active in training mode only; in evaluation the spectrograms pass through. Every draw is independent per example and
    comes from torch's global generator of the device: ``torch.manual_seed`` alone reproduces a batch.

    Shape: (B, 1, F, frames) of any floating dtype, to the same shape and dtype.

    Raises:
        UsageError: a limit out of range; at call, anything but a batch of spectrograms.
    """

    def forward(self, spectrograms: Tensor) -> Tensor:
        if spectrograms.ndim != 4 or not spectrograms.is_floating_point():
            raise UsageError(
                f"{type(self).__name__} takes floating point spectrograms (batch, 1, frequencies, frames), "
                f"but was given {tuple(spectrograms.shape)} of {spectrograms.dtype}; a network on raw samples wants "
                "augmentation of the signal alone"
            )
        if not (self.training and spectrograms.numel()):
            return spectrograms
        with torch.autocast(spectrograms.device.type, enabled=False):
            return self.augment(spectrograms)

    def augment(self, spectrograms: Tensor) -> Tensor:
        """Spectrograms to the same shape and dtype."""
        raise NotImplementedError


class SpecAugment(SpectrogramAugmentation):
    """Replace bands of frequency and stretches of time by the mean of their spectrogram.

    Each mask's width is uniform over the whole numbers from 0 to its limit, then so is its place; masks may overlap.

    Args:
        time: greatest width of a mask in time, as a share of the frames, rounded down to whole ones.
        frequency: greatest width of a mask in frequency, as a share of the bands, likewise.
        time_masks: how many masks in time for each example.
        frequency_masks: how many in frequency.

    Park, Chan, Zhang, Chiu, Zoph, Cubuk and Le (2019), "SpecAugment: a simple data augmentation method for automatic
    speech recognition", without its time warping, which they found to matter little. There, time is given in frames.
    """

    def __init__(
        self, time: float = 0.1, frequency: float = 0.15, time_masks: int = 2, frequency_masks: int = 2
    ) -> None:
        super().__init__()
        for name, share in (("time", time), ("frequency", frequency)):
            if not 0 <= share <= 1:
                raise UsageError(f"SpecAugment: {name} is {share}; as a share of the axis it must be between 0 and 1")
        for name, masks in (("time_masks", time_masks), ("frequency_masks", frequency_masks)):
            if masks < 0:
                raise UsageError(f"SpecAugment: {name} is {masks}; it must be 0 or more")
        self.time, self.frequency = float(time), float(frequency)
        self.time_masks, self.frequency_masks = int(time_masks), int(frequency_masks)

    def extra_repr(self) -> str:
        return f"time={self.time_masks}x{self.time:g}, frequency={self.frequency_masks}x{self.frequency:g}"

    def augment(self, spectrograms: Tensor) -> Tensor:
        count, _, bands, frames = spectrograms.shape
        device = spectrograms.device
        hidden_bands = draw_masks(count, bands, self.frequency, self.frequency_masks, device)
        hidden_frames = draw_masks(count, frames, self.time, self.time_masks, device)
        hidden = hidden_bands[:, None, :, None] | hidden_frames[:, None, None, :]
        return torch.where(hidden, spectrograms.mean((1, 2, 3), keepdim=True), spectrograms)
