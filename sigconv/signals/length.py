"""Signals, and windows of them, of a given length."""

import torch
from torch import Tensor
from torch.nn import functional as F


def fit_length(signal: Tensor, length: int) -> Tensor:
    """Pads or cuts a recording to `length` along its time axis, the second: (channels, time, ...).

    A shorter one is centred between zeros. From a longer one, the stretch is taken whose samples vary most about the
    mean of the recording: in sound, the one with the most energy.
    """
    missing = length - signal.shape[1]
    if missing >= 0:
        around = (missing // 2, missing - missing // 2)
        return F.pad(signal, (0, 0) * (signal.ndim - 2) + around)
    values = signal.to(torch.float64)
    energy = (values - values.mean(1, keepdim=True)).square().transpose(0, 1).flatten(1).sum(1)
    total = F.pad(energy.cumsum(0), (1, 0))
    start = int((total[length:] - total[:-length]).argmax())
    return signal[:, start : start + length]


def pad_to_length(signal: Tensor, length: int) -> Tensor:
    """Pads a recording to `length` along its time axis with zeros at the end, so that times in it stay the same."""
    assert signal.shape[1] <= length
    return F.pad(signal, (0, 0) * (signal.ndim - 2) + (0, length - signal.shape[1]))


def slide(first: int, end: int, length: int) -> list[tuple[int, int]]:
    """Windows of `length` over the longer stretch from `first` to `end`, in steps of half; the last ends at `end`."""
    starts = [*range(first, end - length, max(1, length // 2)), end - length]
    return [(start, start + length) for start in starts]
