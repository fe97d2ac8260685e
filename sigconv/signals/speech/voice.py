"""Recordings as other speakers would have said them: batched changes of voice on the device."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from sigconv.signals import check
from sigconv.signals.draw import draw_factor
from sigconv.signals.speech.augment import WaveformAugmentation, fft_length, from_decibels


class Speed(WaveformAugmentation):
    """Play every recording faster or slower: its pitch, formants and tempo go up or down together.

    The factor is in [1 / (1 + limit), 1 + limit], uniform in its logarithm; above 1 is faster and higher. The
    window keeps its length, and its middle stays in place: what is played beyond the ends is lost, and a recording
    that has become too short is padded with zeros.

    Args:
        limit: greatest relative change; 0.2 is a factor from 0.83 to 1.2.
    """

    def __init__(self, limit: float, probability: float = 1.0) -> None:
        super().__init__(probability if limit else 0.0)
        self.limit = check.limit(self, "limit", limit)

    def augment(self, waveform: Tensor) -> Tensor:
        return resample(waveform, draw_factor(waveform, self.limit))


class VocalTract(WaveformAugmentation):
    """Give every recording a longer or shorter vocal tract: its formants move, its pitch and tempo stay.

    The formants are multiplied by a factor in [1 / (1 + limit), 1 + limit], uniform in its logarithm; see
    `scale_formants`. Men, women and children differ by factors within about 0.8 to 1.25.

    Args:
        rate: samples per second, in Hz.
        limit: greatest relative change.
    """

    def __init__(self, rate: float, limit: float, probability: float = 1.0) -> None:
        super().__init__(probability if limit else 0.0)
        check.positive(self, rate=rate)
        self.rate = float(rate)
        self.limit = check.limit(self, "limit", limit)

    def augment(self, waveform: Tensor) -> Tensor:
        return scale_formants(waveform, draw_factor(waveform, self.limit), self.rate)


def resample(waveform: Tensor, factor: Tensor) -> Tensor:
    """Play (B, 1, T) `factor` (B, 1, 1) times as fast about its middle; zeros where there is nothing to play.

    The sound is oversampled by two by FFT, which also removes what a faster speed would move above half the sampling
    rate, and interpolated by cubic B-splines, whose droop is compensated in the same spectrum. Images are thus at most
    (v / (4 - v))^4 of a sound at v times half the rate: -94 dB at a quarter, -67 dB at a half.
    """
    samples = waveform.shape[-1]
    length = fft_length(samples + 64)  # room for the ringing of the low-pass at the ends
    spectrum = torch.fft.rfft(F.pad(waveform, (1, 0)), length)
    frequency = torch.linspace(0, 1, spectrum.shape[-1], device=waveform.device, dtype=waveform.dtype)
    passed = ((1 / factor.clamp(min=1) - frequency) / 0.03).clamp(0, 1)
    finer = torch.fft.irfft(spectrum * (passed * (2 / torch.sinc(frequency / 4) ** 4)), 2 * length)

    middle = (samples - 1) / 2
    place = torch.arange(samples, device=waveform.device, dtype=waveform.dtype) - middle
    position = place * factor
    inside = position.abs() <= middle
    position = position.clamp_(-middle, middle).mul_(2).add_(samples)  # the padding in front is two samples long here
    first = position.long()  # of four neighbours
    t = position.frac()
    sound = torch.zeros_like(waveform)
    for i, weight in enumerate((_outer(t), _inner(t), _inner(1 - t), _outer(1 - t))):
        sound.addcmul_(finer[..., i:].gather(-1, first), weight)
    return sound.mul_(inside).div_(6)


def _inner(t: Tensor) -> Tensor:
    """Six times the cubic B-spline at t in [0, 1]."""
    return (t - 2) * t * t * 3 + 4


def _outer(t: Tensor) -> Tensor:
    """Six times the cubic B-spline at 1 + t in [1, 2]."""
    return (1 - t) ** 3


LONGEST_QUEFRENCY = 0.0025  # seconds: voices up to 400 Hz
ENVELOPE_STEPS = 3
MOST_GAIN_DB = 25.0  # where there is hardly anything to amplify


def scale_formants(waveform: Tensor, factor: Tensor, rate: float) -> Tensor:
    """Multiply the formants of (B, 1, T) by `factor` (B, 1, 1), keeping its pitch and tempo.

    Each frame of 32 ms is filtered by the ratio of its spectral envelope with a warped frequency axis, by
    `vocal_tract_map`, to the envelope as it is. The envelope is the true envelope of Roebel and Rodet (2005),
    "Efficient spectral envelope estimation and its application to pitch shifting and envelope preservation": a
    cepstrum shorter than a period of the voice, which thus captures formants but not harmonics, is raised to the peaks
    of the harmonics in a few steps. As a sum of cosines, it can be evaluated at any frequency without interpolation.
    """
    count, _, samples = waveform.shape
    hop = max(1, round(0.016 * rate))
    quefrencies = max(2, round(LONGEST_QUEFRENCY * rate))
    window = torch.hann_window(2 * hop, device=waveform.device, dtype=waveform.dtype).sqrt()
    frames = -(-samples // hop) + 1
    padded = F.pad(waveform.squeeze(1), (hop, frames * hop - samples))
    spectrum = torch.fft.rfft(padded.unfold(-1, 2 * hop, hop) * window)  # (B, frames, hop + 1)

    power = spectrum.real.square() + spectrum.imag.square()
    floor = 1e-6 * power.amax((1, 2), keepdim=True) + torch.finfo(power.dtype).tiny
    frequency = torch.linspace(0, rate / 2, hop + 1, device=waveform.device, dtype=waveform.dtype)
    quefrency = torch.arange(quefrencies, device=waveform.device, dtype=waveform.dtype)[:, None]
    cosines = torch.cos(2 * math.pi / rate * quefrency * frequency)
    warped = torch.cos(2 * math.pi / rate * quefrency * vocal_tract_map(frequency, 1 / factor, rate))
    analysis = cosines.T * (2 / hop)  # with `cosines`, the projection on smooth curves
    analysis[:, 0] /= 2
    analysis[[0, -1]] /= 2
    level = (power + floor).log10() * 10
    cepstrum = level @ analysis
    for _ in range(ENVELOPE_STEPS):
        level = torch.maximum(level, cepstrum @ cosines)
        cepstrum = level @ analysis
    change = cepstrum @ (warped - cosines)
    gain = from_decibels(change.clamp(-MOST_GAIN_DB, MOST_GAIN_DB))
    filtered = torch.fft.irfft(spectrum * gain, 2 * hop) * window
    halves = filtered.unflatten(-1, (2, hop))
    return (halves[:, :-1, 1] + halves[:, 1:, 0]).reshape(count, 1, -1)[..., :samples]


def vocal_tract_map(frequency: Tensor, factor: Tensor, rate: float) -> Tensor:
    """Multiply frequencies in Hz by `factor`, and keep 0 and half the sampling rate where they are.

    Up to a knee, it multiplies by the factor; above, it is another straight line. The knee, or for factors above 1 its
    image, is at 4800 Hz or at 0.8 of half the rate, whichever is less: formants lie below. The map by 1 / factor
    undoes it. Jaitly and Hinton (2013), "Vocal tract length perturbation (VTLP) improves speech recognition".
    """
    top = rate / 2
    image = min(4800.0, 0.8 * top) * factor.clamp(max=1)
    knee = image / factor
    return torch.where(frequency <= knee, frequency * factor, top - (top - image) / (top - knee) * (top - frequency))
