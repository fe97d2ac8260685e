"""Signals, and windows of them, of one length."""

import torch
from torch import Tensor
from torch.nn import functional as F


def fit_length(signal: Tensor, length: int) -> Tensor:
    """Brings a recording to `length` along its axis of time, the second: (channels, time, ...).

    A shorter one stands in the middle of zeros. Of a longer one, that stretch is taken whose samples vary the most
    about their mean: in sound, the one with the most energy.
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
    """Brings a recording to `length` along its axis of time by zeros behind it: times in it stay what they are."""
    assert signal.shape[1] <= length
    return F.pad(signal, (0, 0) * (signal.ndim - 2) + (0, length - signal.shape[1]))


def slide(first: int, end: int, length: int) -> list[tuple[int, int]]:
    """Windows of `length` from `first` to `end`, which is further away, in steps of half of it; the last ends there."""
    starts = [*range(first, end - length, max(1, length // 2)), end - length]
    return [(start, start + length) for start in starts]
