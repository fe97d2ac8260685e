"""Learned front ends: banks of filters on raw samples that are trained with the network.

Each defines its filters; :class:`sigconv.signals.speech.filterbank.FilterBank` does the rest.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn

from sigconv.signals import check
from sigconv.signals.speech.bounded import Bounded
from sigconv.signals.speech.filterbank import FilterBank, gaussian, unit_sum


class GaborFilters(FilterBank):
    """Gaussian bands with learned centre and width: the filters of LEAF.

    A complex exponential with a Gaussian envelope, so that the magnitude of the frequency response is a Gaussian around
    the centre frequency, with peak 1. Centre frequency and bandwidth (between the half-power points, in Hz) are
    learned, and start as those of triangular mel bands. LEAF as published has ``compression="pcen"``.

    Args and shape: as in :class:`FilterBank`.
    """

    def start(self) -> None:
        centre, bandwidth = mel_bands(self.count, self.low, self.high)
        self.centre = Bounded(centre.unsqueeze(1), 0, self.rate / 2)
        # Narrower in frequency, a Gaussian would be longer than the window; wider, it would be under two samples long.
        narrowest, widest = 1 / self.window, self.rate / 4
        self.bandwidth = Bounded(bandwidth.unsqueeze(1).clamp(1.01 * narrowest, 0.99 * widest), narrowest, widest)

    def filters(self) -> Tensor:
        return gabor(self.time, self.centre(), self.bandwidth())


class SincFilters(FilterBank):
    """Bands with sharp learned edges: the filters of SincNet.

    The ideal band-pass between two learned cut-off frequencies, truncated by a Hamming window. Ravanelli & Bengio,
    "Speaker recognition from raw waveform with SincNet", SLT 2018; their filters are the real part of these. The bands
    start side by side on the mel scale. No band gets narrower than 1 / window, which is as sharp as filters of that
    length can be, or leaves the range from 0 to half the rate.

    Args and shape: as in :class:`FilterBank`.
    """

    def start(self) -> None:
        self.narrowest = 1 / self.window
        edges = mel_points(self.count + 1, self.low, self.high).unsqueeze(1)
        room = self.rate / 2 - self.narrowest
        lower = edges[:-1].clamp(1e-3 * room, 0.999 * room)
        # The part that a band takes of the room left above its lower edge plus the minimum width.
        part = (edges[1:] - lower - self.narrowest) / (room - lower)
        self.lower = Bounded(lower, 0, room)
        self.part = Bounded(part.clamp(1e-3, 0.999), 0, 1)

    def cutoffs(self) -> tuple[Tensor, Tensor]:
        """The lower and the upper cut-off frequency of each filter, in Hz: (filters,) each."""
        lower = self.lower()
        upper = lower + self.narrowest + (self.rate / 2 - self.narrowest - lower) * self.part()
        return lower.squeeze(1), upper.squeeze(1)

    def filters(self) -> Tensor:
        lower, upper = (edge.unsqueeze(1) for edge in self.cutoffs())
        hamming = 0.54 + 0.46 * torch.cos(math.pi * self.time / self.time[-1])
        middle = self.time == 0  # where torch.sinc has no second derivative
        envelope = torch.sinc((upper - lower) * self.time.masked_fill(middle, 1)).masked_fill(middle, 1) * hamming
        return _modulated(unit_sum(envelope), (lower + upper) / 2, self.time)


class FreeFilters(FilterBank):
    """Filters whose every tap is learned: a plain convolution.

    Args:
        start: "mel", the Gabor filters on the mel scale (Zeghidour, Usunier, Kokkinos, Schatz, Synnaeve & Dupoux,
            "Learning filterbanks from raw speech for phone recognition", ICASSP 2018, found that it matters); or
            "noise", random taps, in the order of their mean frequencies.
        bank: the other arguments of :class:`FilterBank`, whose shape applies too.
    """

    def __init__(self, rate: float, filters: int = 40, *, start: str = "mel", **bank: Any) -> None:
        super().__init__(rate, filters, **bank)
        if check.choice(self, "start", start, ("mel", "noise")) == "mel":
            centre, bandwidth = mel_bands(self.count, self.low, self.high)
            responses = gabor(self.time, centre.unsqueeze(1), bandwidth.unsqueeze(1).clamp(min=1 / self.window))
        else:
            responses = _by_frequency(torch.randn(self.count, len(self.time), dtype=torch.complex64) / len(self.time))
        self.taps = nn.Parameter(torch.view_as_real(responses).contiguous())

    def filters(self) -> Tensor:
        return torch.view_as_complex(self.taps)


def gabor(time: Tensor, centre: Tensor, bandwidth: Tensor) -> Tensor:
    """Gabor filters (filters, taps) around ``centre``, at half power ``bandwidth`` / 2 away; both (filters, 1), in Hz.

    The envelope exp(-t^2 / 2 sigma^2) has the response exp(-(2 pi sigma f)^2 / 2), whose square is a half at
    f = bandwidth / 2 where sigma = sqrt(ln 2) / (pi bandwidth).
    """
    sigma = math.sqrt(math.log(2)) / (math.pi * bandwidth)
    return _modulated(gaussian(time, sigma), centre, time)


def mel_bands(count: int, low: float, high: float) -> tuple[Tensor, Tensor]:
    """Centres and bandwidths, in Hz, of triangular bands evenly spaced on the mel scale: (count,) each."""
    edges = mel_points(count + 2, low, high)
    return edges[1:-1], (edges[2:] - edges[:-2]) / 2


def mel_points(count: int, low: float, high: float) -> Tensor:
    """Frequencies from ``low`` to ``high`` in Hz, ends included, evenly spaced on Slaney's mel scale: (count,)."""
    from librosa import mel_frequencies  # here, as it takes a second to import

    return torch.from_numpy(mel_frequencies(count, fmin=low, fmax=high)).float()


def _modulated(envelope: Tensor, centre: Tensor, time: Tensor) -> Tensor:
    """A low-pass filter shifted up to ``centre``."""
    phase = 2 * math.pi * centre * time
    # Not torch.polar: where the envelope is negative, as a sinc can be, its gradient has the wrong sign.
    return torch.complex(envelope * phase.cos(), envelope * phase.sin())


def _by_frequency(responses: Tensor) -> Tensor:
    """Sorts responses by their power-weighted mean frequency."""
    power = torch.fft.fft(responses).abs().square()
    frequency = torch.fft.fftfreq(responses.shape[-1]).abs()
    return responses[((power * frequency).sum(-1) / power.sum(-1)).argsort()]
