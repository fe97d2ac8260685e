"""Sound in the form in which the network's modules take it."""

import torch
from torch import Tensor, nn

from sigconv.errors import UsageError
from sigconv.signals import check


def as_waveform(signal: Tensor) -> Tensor:
    """(B, 1, T) of integers, as a corpus keeps them, to float32 in [-1, 1); floating point passes as it is.

    Raises UsageError for any other shape: several channels have to be mixed down to one beforehand.
    """
    if signal.ndim != 3 or signal.shape[1] != 1:
        raise UsageError(f"a batch of mono sound has the shape (batch, 1, samples), not {tuple(signal.shape)}")
    if signal.is_floating_point():
        return signal
    if signal.dtype in (torch.uint8, torch.bool):
        raise UsageError(f"sound is of signed integers or floating-point numbers, not {signal.dtype}")
    return signal.to(torch.float32) / -torch.iinfo(signal.dtype).min


class Waveform(nn.Module):
    """Raw samples for networks that take them as they are.

    Args:
        normalise: for each recording by itself: "none"; "peak", its loudest sample to 1 or -1; or "standard", zero mean
            and unit variance. Samples of exactly zero do not count for the latter and stay zero, so that padding
            changes nothing and has no step at its edge. Silence stays silence.

    Shape: (B, 1, T), int16 or floating, to the same in floating point, as by :func:`as_waveform`.

    Raises:
        UsageError: an unknown ``normalise``; at call, sound that is not mono.
    """

    def __init__(self, normalise: str = "standard") -> None:
        super().__init__()
        self.normalise = check.choice(self, "normalise", normalise, ("none", "peak", "standard"))

    def extra_repr(self) -> str:
        return f"normalise={self.normalise}"

    def forward(self, signal: Tensor) -> Tensor:
        wave = as_waveform(signal)
        if self.normalise == "peak":
            return wave / _or_one(wave.abs().amax(-1, keepdim=True))
        if self.normalise == "standard":
            sounds = wave != 0
            count = sounds.sum(-1, keepdim=True).clamp(min=1)
            centred = torch.where(sounds, wave - wave.sum(-1, keepdim=True) / count, 0)
            return centred / _or_one((centred.square().sum(-1, keepdim=True) / count).sqrt())
        return wave


def _or_one(scale: Tensor) -> Tensor:
    """The scale of each recording, 1 for one whose samples are all far below the rounding to int16."""
    return torch.where(scale > 2**-25, scale, 1)
