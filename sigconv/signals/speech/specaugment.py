"""Spectrograms that are partly masked: batched augmentation on the device."""

import torch
from torch import Tensor

from sigconv.signals import check
from sigconv.signals.augmentation import Augmentation
from sigconv.signals.draw import draw_masks


class SpecAugment(Augmentation):
    """Replace bands of frequency and stretches of time by the mean of their spectrogram.

    Each mask's width is uniform over the whole numbers from 0 to its limit, then so is its place; masks may overlap.

    Args:
        time: greatest width of a mask in time, as a share of the frames, rounded down to whole ones.
        frequency: greatest width of a mask in frequency, as a share of the bands, likewise.
        time_masks: how many masks in time for each example.
        frequency_masks: how many in frequency.

    Shape: (B, 1, F, frames) of any floating dtype, to the same shape and dtype.

    Park, Chan, Zhang, Chiu, Zoph, Cubuk and Le (2019), "SpecAugment: a simple data augmentation method for automatic
    speech recognition", without its time warping, which they found to matter little. There, time is given in frames.
    """

    def __init__(
        self, time: float = 0.1, frequency: float = 0.15, time_masks: int = 2, frequency_masks: int = 2
    ) -> None:
        super().__init__()
        self.time, self.frequency = check.share(self, "time", time), check.share(self, "frequency", frequency)
        self.time_masks = int(check.limit(self, "time_masks", time_masks))
        self.frequency_masks = int(check.limit(self, "frequency_masks", frequency_masks))

    def checked(self, examples: Tensor) -> Tensor:
        cure = "; a network on raw samples wants augmentation of the signal alone"
        return check.floating(self, examples, "spectrograms (batch, 1, frequencies, frames)", 4, cure=cure)

    def augment(self, spectrograms: Tensor) -> Tensor:
        count, _, bands, frames = spectrograms.shape
        device = spectrograms.device
        hidden_bands = draw_masks(count, bands, self.frequency, self.frequency_masks, device)
        hidden_frames = draw_masks(count, frames, self.time, self.time_masks, device)
        hidden = hidden_bands[:, None, :, None] | hidden_frames[:, None, None, :]
        return torch.where(hidden, spectrograms.mean((1, 2, 3), keepdim=True), spectrograms)
