"""Signals, and windows of them, of a given length."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from sigconv.signals.speech.loudness import voice_power

EDGE = 0.02
"""Share of the energy that may lie on each side of what is centred."""


def fit_length(signal: Tensor, length: int, rate: float | None = None) -> Tensor:
    """The stretch of a recording, (channels, length, ...), that `find_stretch` finds in (channels, time, ...)."""
    return cut(signal, find_stretch(signal, length, rate), length)


def find_stretch(signal: Tensor, length: int, rate: float | None = None) -> int:
    """Where the `length` samples of a recording (channels, time, ...) begin in which most happens.

    It is taken to lie between zeros. The stretch is taken that has the most energy, and moved until this is in its
    middle, since a word shorter than the stretch could lie anywhere in it. The energy of sound is its `voice_power`,
    and that of a video the change from frame to frame, which a head that moves slowly has little of. A video shorter
    than the stretch is centred as a whole.

    Args:
        rate: samples a second. Without one, sound is taken like video.
    """
    time, rate = signal.shape[1], rate if signal.ndim == 2 else None
    if rate is None and time <= length:
        return -((length - time) // 2)
    return _liveliest(_energy(signal, rate), length)


def cut(signal: Tensor, start: int, length: int) -> Tensor:
    """`length` samples from `start` on of a recording (channels, time, ...) that lies between zeros."""
    before, after = max(0, -start), max(0, start + length - signal.shape[1])
    return F.pad(signal[:, max(0, start) : start + length], (0, 0) * (signal.ndim - 2) + (before, after))


def _liveliest(energy: Tensor, length: int) -> int:
    """Where a stretch of this length begins that has the most energy in its middle."""
    total = F.pad(F.pad(energy, (0, max(0, length - len(energy)))).cumsum(0), (1, 0))
    start = int((total[length:] - total[:-length]).argmax())
    share = (total[start : start + length + 1] - total[start]).contiguous()
    first, last = torch.searchsorted(share, share[-1] * torch.tensor([EDGE, 1 - EDGE], dtype=share.dtype)).tolist()
    return start + (first + last - length) // 2


def _energy(signal: Tensor, rate: float | None) -> Tensor:
    """(time,) float64: how far each frame is from the one before, squared; all 1 where nothing changes.

    Of sound, which is mono, it is the `voice_power` around each sample.
    """
    values = signal.to(torch.float64)
    if rate is None:
        energy = values.diff(dim=1, prepend=values[:, :1]).square().sum([0, *range(2, values.ndim)])
    else:
        power, frame = voice_power(values[0].numpy(), rate)
        energy = torch.from_numpy(power).repeat_interleave(frame)[: signal.shape[1]]
    return energy if energy.any() else torch.ones_like(energy)


def pad_to_length(signal: Tensor, length: int) -> Tensor:
    """Pads a recording to `length` along its time axis with zeros at the end, so that times in it stay the same."""
    assert signal.shape[1] <= length
    return cut(signal, 0, length)


class Piece(NamedTuple):
    """A piece of a recording to look at: from where to where it is, and what is looked at with what is around it."""

    first: int
    end: int
    window: tuple[int, int]


def slide(first: int, end: int, length: int) -> list[Piece]:
    """Windows of `length` over the longer stretch from `first` to `end`, in steps of half; the last ends at `end`."""
    starts = [*range(first, end - length, max(1, length // 2)), end - length]
    return [Piece(start, start + length, (start, start + length)) for start in starts]
