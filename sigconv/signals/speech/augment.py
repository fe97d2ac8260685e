"""Recordings as other rooms and microphones would have made them: batched augmentation of sound on the device."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from sigconv.signals import check
from sigconv.signals.augmentation import Augmentation
from sigconv.signals.draw import draw
from sigconv.signals.speech.waveform import as_waveform


class WaveformAugmentation(Augmentation):
    """Augmentation of waveforms.

    Where every draw could only be 0, nothing is drawn and the sound passes through.

    Shape: (B, 1, T), integer or floating, to (B, 1, T) in floating point, as by `as_waveform`.
    """

    def checked(self, examples: Tensor) -> Tensor:
        return as_waveform(examples)


def from_decibels(level: Tensor) -> Tensor:
    """The amplitude factor that corresponds to a level in dB."""
    return torch.exp(level * (math.log(10) / 20))


def fft_length(samples: int) -> int:
    """A length of at least `samples` for which the FFT is fast."""
    step = 1 << max(0, samples.bit_length() - 4)
    return -(-samples // step) * step


class TimeShift(WaveformAugmentation):
    """Shift every recording by a whole number of samples, up to `seconds` either way; zeros fill the gap.

    Args:
        rate: samples per second, in Hz.
        seconds: greatest shift.
    """

    def __init__(self, rate: float, seconds: float) -> None:
        super().__init__(1.0 if seconds else 0.0)
        check.positive(self, rate=rate)
        self.rate = float(rate)
        self.seconds = check.limit(self, "seconds", seconds)

    def augment(self, waveform: Tensor) -> Tensor:
        count, _, samples = waveform.shape
        most = min(round(self.seconds * self.rate), samples)
        start = torch.randint(2 * most + 1, (count,), device=waveform.device)
        windows = F.pad(waveform, (most, most)).unfold(-1, samples, 1)  # a view of all possible shifts
        return windows[torch.arange(count, device=waveform.device), :, start]


class Gain(WaveformAugmentation):
    """Make every recording louder or softer, uniformly in dB.

    Args:
        db: greatest change of level either way. Nothing is clipped.
    """

    def __init__(self, db: float) -> None:
        super().__init__(1.0 if db else 0.0)
        self.db = check.limit(self, "db", db)

    def augment(self, waveform: Tensor) -> Tensor:
        return waveform * from_decibels(draw(waveform, -self.db, self.db))


class Overload(WaveformAugmentation):
    """Record too loud: clip every recording at a level that its peak exceeds. What is not clipped stays as it is.

    Args:
        db: lowest and highest level of the peak above full scale, in dB; uniform between them.
    """

    def __init__(self, db: Sequence[float] = (0.0, 20.0), probability: float = 1.0) -> None:
        super().__init__(probability)
        self.db = check.interval(self, "db", db)
        check.limit(self, "db", self.db[0])

    def augment(self, waveform: Tensor) -> Tensor:
        full_scale = waveform.abs().amax(-1, keepdim=True) * from_decibels(-draw(waveform, *self.db))
        return waveform.clamp(-full_scale, full_scale)


class Equalise(WaveformAugmentation):
    """Simulate another microphone: filter every recording with a smooth random frequency response, without delay.

    The response, in dB over the logarithm of frequency, is a sum of six cosines of random weight over the seven octaves
    below half the sampling rate; below these it is constant. Its greatest deviation from flat is uniform in [0, db).

    Args:
        db: limit of the greatest deviation.
    """

    COSINES = 6
    OCTAVES = 7
    RESPONSE = 512  # samples in which the response dies away, at any rate: its octaves count from half the rate

    def __init__(self, db: float, probability: float = 1.0) -> None:
        super().__init__(probability if db else 0.0)
        self.db = check.limit(self, "db", db)

    def augment(self, waveform: Tensor) -> Tensor:
        count, _, samples = waveform.shape
        length = fft_length(samples + self.RESPONSE)
        spectrum = torch.fft.rfft(waveform, length)
        frequency = torch.linspace(0, 1, spectrum.shape[-1], device=waveform.device, dtype=waveform.dtype)
        place = 1 + frequency.clamp(min=2**-self.OCTAVES).log2() / self.OCTAVES
        order = torch.arange(1, self.COSINES + 1, device=waveform.device, dtype=waveform.dtype)
        weights = waveform.new_empty(count, 1, self.COSINES).uniform_(-1, 1)
        curve = weights @ torch.cos(math.pi * order[:, None] * place)
        level = curve * (draw(waveform, 0, self.db) / curve.abs().amax(-1, keepdim=True))
        return torch.fft.irfft(spectrum * from_decibels(level), length)[..., :samples]


class AddNoise(WaveformAugmentation):
    """Add noise of a random colour at a random signal-to-noise ratio, over the whole window.

    The ratio is that of the `active_power` of the recording to the mean power of the noise: silence in and around
    the recording does not count as signal. The noise covers the silence too, so that padding does not reveal how
    long a recording is. A recording that is all zeros stays silent.

    Args:
        rate: samples per second, in Hz.
        snr: lowest and highest ratio, in dB; uniform between them.
        colour: lowest and highest exponent k, uniform between them, of a noise whose power density falls as
            1 / frequency^k above 50 Hz and is constant below: 0 is white, 1 pink, 2 brown.
    """

    LEVEL_BELOW = 50.0

    def __init__(
        self,
        rate: float,
        snr: Sequence[float] = (5.0, 30.0),
        colour: Sequence[float] = (0.0, 2.0),
        probability: float = 1.0,
    ) -> None:
        super().__init__(probability)
        check.positive(self, rate=rate)
        self.rate = float(rate)
        self.snr = check.interval(self, "snr", snr)
        self.colour = check.interval(self, "colour", colour)

    def augment(self, waveform: Tensor) -> Tensor:
        noise = self._noise(waveform)
        noise_power = noise.square().mean(-1, keepdim=True)
        wanted_power = active_power(waveform, self.rate) * from_decibels(-2 * draw(waveform, *self.snr))
        return waveform + noise * (wanted_power / noise_power).sqrt()

    def _noise(self, waveform: Tensor) -> Tensor:
        """Gaussian noise, drawn and coloured as a spectrum: (B, 1, T)."""
        count, _, samples = waveform.shape
        length = fft_length(samples)
        bins = length // 2 + 1
        white = torch.view_as_complex(waveform.new_empty(count, 1, bins, 2).normal_())
        frequency = torch.linspace(0, self.rate / 2, bins, device=waveform.device, dtype=waveform.dtype)
        octaves = frequency.clamp(min=self.LEVEL_BELOW).log2() - math.log2(self.LEVEL_BELOW)
        return torch.fft.irfft(white * torch.exp2(octaves * draw(waveform, *self.colour) / -2), length)[..., :samples]


def active_power(waveform: Tensor, rate: float) -> Tensor:
    """Mean power of the active part, the 20 ms frames within 30 dB of the loudest one: (B, 1, T) -> (B, 1, 1)."""
    frame = min(max(1, round(0.02 * rate)), waveform.shape[-1])
    power = F.avg_pool1d(waveform.square(), frame, ceil_mode=True)
    active = power >= 1e-3 * power.amax(-1, keepdim=True)
    return (power * active).sum(-1, keepdim=True) / active.sum(-1, keepdim=True)


class Room(WaveformAugmentation):
    """Simulate another room: convolve every recording with a random synthetic room impulse response.

    The response is the direct sound, neither delayed nor changed, followed by white noise that decays
    exponentially: Polack's model of late reverberation (1988). Reverberation past the window is cut off.

    Args:
        rate: samples per second, in Hz.
        reverberation_time: shortest and longest time, in seconds, in which the noise falls by 60 dB (RT60).
        direct_to_reverberant: lowest and highest ratio of the energy of the direct sound to that of the noise, in dB.
    """

    def __init__(
        self,
        rate: float,
        reverberation_time: Sequence[float] = (0.1, 0.6),
        direct_to_reverberant: Sequence[float] = (0.0, 15.0),
        probability: float = 1.0,
    ) -> None:
        super().__init__(probability)
        check.positive(self, rate=rate)
        self.rate = float(rate)
        self.reverberation_time = check.interval(self, "reverberation_time", reverberation_time)
        check.positive(self, reverberation_time=self.reverberation_time[0])
        self.direct_to_reverberant = check.interval(self, "direct_to_reverberant", direct_to_reverberant)

    def augment(self, waveform: Tensor) -> Tensor:
        samples = waveform.shape[-1]
        reverberation = self._reverberation(waveform)
        length = fft_length(samples + reverberation.shape[-1])
        spectrum = torch.fft.rfft(waveform, length) * torch.fft.rfft(reverberation, length)
        return waveform + torch.fft.irfft(spectrum, length)[..., :samples]

    def _reverberation(self, waveform: Tensor) -> Tensor:
        """The responses without their direct sound: (B, 1, at most T)."""
        length = min(math.ceil(self.reverberation_time[1] * self.rate), waveform.shape[-1])
        time = torch.arange(length, device=waveform.device, dtype=waveform.dtype) / self.rate
        decay = torch.exp(time * (-3 * math.log(10)) / draw(waveform, *self.reverberation_time))
        noise = waveform.new_empty(len(waveform), 1, length).normal_() * decay
        noise[..., 0] = 0  # the direct sound's place
        energy = noise.square().sum(-1, keepdim=True).clamp(min=torch.finfo(noise.dtype).tiny)
        return noise * from_decibels(-draw(waveform, *self.direct_to_reverberant)) / energy.sqrt()
