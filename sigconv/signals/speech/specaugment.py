"""Spectrograms that are partly masked, or of another vocal tract: batched augmentation on the device."""

import torch
from torch import Tensor, nn

from sigconv.errors import UsageError
from sigconv.signals import check
from sigconv.signals.draw import draw_masks, interpolation
from sigconv.signals.speech.mel import SCALES, from_mel, to_mel
from sigconv.signals.speech.voice import vocal_tract_map


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


class VocalTractWarp(SpectrogramAugmentation):
    """Give every mel spectrogram a longer or shorter vocal tract: warp its frequency axis.

    Every frequency moves to where `vocal_tract_map` takes it, by a factor uniform in [1 - limit, 1 + limit]. Between
    the centres of bands on the mel scale, values are interpolated linearly, which is right for levels in dB or other
    logarithms. At the edges the outermost band is repeated. Unlike `VocalTract` this moves the harmonics of the voice
    along with its formants, where the bands are narrow enough to resolve them.

    Args:
        rate: samples per second of the sound, in Hz.
        limit: greatest relative change; 0.1 in the paper, 0.2 for children.
        low: lower edge of the lowest mel band, in Hz, as in the features.
        high: upper edge of the highest, in Hz; None is half the rate.
        scale: "slaney" or "htk".

    Jaitly and Hinton (2013), "Vocal tract length perturbation (VTLP) improves speech recognition".
    """

    def __init__(
        self, rate: float, limit: float, low: float = 20.0, high: float | None = None, scale: str = "slaney"
    ) -> None:
        super().__init__()
        check.positive(self, rate=rate)
        self.low, self.high = check.band(self, low, high, rate)
        self.rate, self.limit = float(rate), check.limit(self, "limit", limit, below=1)
        self.scale = check.choice(self, "mel scale", scale, SCALES)

    def extra_repr(self) -> str:
        return f"limit={self.limit:g}, {self.low:g}..{self.high:g} Hz of {self.rate:g}, scale={self.scale}"

    def augment(self, spectrograms: Tensor) -> Tensor:
        if not self.limit:
            return spectrograms
        count, _, bands, _ = spectrograms.shape
        precise = spectrograms.to(torch.promote_types(spectrograms.dtype, torch.float32))
        factor = precise.new_empty(count, 1, 1).uniform_(1 - self.limit, 1 + self.limit)
        weights = interpolation(self.source(factor, bands), bands)
        return (weights @ precise.squeeze(1)).unsqueeze(1).to(spectrograms.dtype)

    def source(self, factor: Tensor, bands: int) -> Tensor:
        """Where each band comes from, for `factor` (B, 1, 1): (B, 1, bands), in bands from the lowest."""
        first, last = to_mel(torch.tensor([self.low, self.high], dtype=torch.float64), self.scale).tolist()
        step = (last - first) / (bands + 1)
        centre = first + step * torch.arange(1, bands + 1, device=factor.device, dtype=factor.dtype)
        came_from = vocal_tract_map(from_mel(centre, self.scale), 1 / factor, self.rate)
        return (to_mel(came_from, self.scale) - first) / step - 1
