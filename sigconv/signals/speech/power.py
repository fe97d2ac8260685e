"""Power of sound over time and frequency, from which all spectral features start.

Frames are centred: frame t lies around t * hop, and there are T // (hop in samples) + 1. Beyond its ends a recording is
taken to be silent, so that zeros appended to it change nothing in the frames before them. All is computed in full
precision, even under autocast: half precision lacks the dynamic range of sound.
"""

import math
import warnings

import torch
import torchaudio.functional as AF
from torch import Tensor, nn

from sigconv.errors import UsageError
from sigconv.signals import check
from sigconv.signals.speech.waveform import as_waveform

NORMS = {"slaney": "slaney", "htk": None}  # by mel scale: how torchaudio scales the triangles


class PowerSpectrum(nn.Module):
    """Power of each frequency over time: |STFT|^2 with a Hann window, not scaled.

    Args:
        rate: samples a second, in Hz.
        window: length of a frame, in seconds. The transform's length is the next power of two.
        hop: from a frame to the next, in seconds.

    Shape: (B, 1, T) to (B, 1, n_fft / 2 + 1, frames).

    Raises:
        UsageError: an invalid window or hop; at call, sound that is not mono, or is shorter than a window.
    """

    taper: Tensor

    def __init__(self, rate: float, window: float = 0.025, hop: float = 0.010) -> None:
        super().__init__()
        check.positive(self, rate=rate, window=window, hop=hop)
        self.rate, self.window, self.hop = rate, window, hop
        self.window_samples, self.hop_samples = round(window * rate), round(hop * rate)
        if self.window_samples < 4 or self.hop_samples < 1 or hop > window:
            raise UsageError(
                f"{type(self).__name__}: windows of {window:g} s, one every {hop:g} s, are {self.window_samples} and "
                f"{self.hop_samples} samples at {rate:g} Hz; both are in seconds: take a window of at least 4 samples, "
                "and a hop of at least one sample and at most a window"
            )
        self.n_fft = 2 ** math.ceil(math.log2(self.window_samples))
        self.register_buffer("taper", torch.hann_window(self.window_samples), persistent=False)

    def extra_repr(self) -> str:
        return f"rate={self.rate:g}, window={self.window:g}, hop={self.hop:g}"

    def forward(self, signal: Tensor) -> Tensor:
        wave = as_waveform(signal)
        check.holds_window(self, wave, self.window_samples, self.rate)
        with torch.autocast(wave.device.type, enabled=False):
            return self.features(wave.to(torch.promote_types(wave.dtype, torch.float32)))

    def features(self, wave: Tensor) -> Tensor:
        """The features of a floating waveform (B, 1, T) that is known to be long enough."""
        return self.power(wave)

    def power(self, wave: Tensor) -> Tensor:
        """(B, 1, T) -> (B, 1, n_fft / 2 + 1, frames)."""
        spectrum = torch.stft(
            wave.squeeze(1),
            self.n_fft,
            self.hop_samples,
            self.window_samples,
            self.taper.to(wave.dtype),
            center=True,
            pad_mode="constant",
            return_complex=True,
        )
        return (spectrum.real.square() + spectrum.imag.square()).unsqueeze(1)


class MelSpectrum(PowerSpectrum):
    """Power in triangular bands that are evenly spaced on the mel scale.

    Args:
        mels: how many bands.
        low: lower edge of the lowest band, in Hz.
        high: upper edge of the highest, in Hz; half the rate if None.
        scale: "slaney", linear below 1 kHz, with triangles of equal area, as in librosa; or "htk", with triangles of
            equal height, as in torchaudio. Slaney's low bands are wider, and so suit short windows better: with 40 up
            to 4 kHz, each is at least 110 Hz wide, whereas HTK's lowest is 60 Hz wide, two bins of the spectrum.
        Others: as in :class:`PowerSpectrum`.

    Shape: (B, 1, T) to (B, 1, mels, frames).

    Raises:
        UsageError: invalid edges; a band so narrow that it holds no frequency of the transform.
    """

    filters: Tensor

    def __init__(
        self,
        rate: float,
        mels: int = 40,
        window: float = 0.025,
        hop: float = 0.010,
        low: float = 20.0,
        high: float | None = None,
        scale: str = "slaney",
    ) -> None:
        super().__init__(rate, window, hop)
        check.at_least_one(self, mels=mels)
        self.mels, self.scale = mels, check.choice(self, "scale", scale, NORMS)
        self.low, self.high = check.band(self, low, high, rate)
        filters = self._triangles(mels)
        if _empty(filters):
            enough = next(n for n in range(1, mels + 1) if _empty(self._triangles(n))) - 1
            raise UsageError(
                f"{type(self).__name__}: of {mels} mel bands from {self.low:g} to {self.high:g} Hz, {_empty(filters)} "
                f"hold no frequency of a transform of {self.n_fft} points, {rate / self.n_fft:g} Hz apart; take "
                f"at most {enough} mels, or a window longer than {self.n_fft / rate:g} s"
            )
        self.register_buffer("filters", filters, persistent=False)

    def _triangles(self, mels: int) -> Tensor:
        """(mels, n_fft / 2 + 1); a band that falls between two bins is all zeros."""
        bins, twice = self.n_fft + 1, int(2 * self.rate)  # twice both: torchaudio halves a rate to whole Hz
        with warnings.catch_warnings(action="ignore"):  # of empty bands
            bands = AF.melscale_fbanks(bins, self.low, self.high, mels, twice, NORMS[self.scale], self.scale)
        return bands[: self.n_fft // 2 + 1].T.contiguous()

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, mels={self.mels}, low={self.low:g}, high={self.high:g}, scale={self.scale}"

    def features(self, wave: Tensor) -> Tensor:
        return self.mel_power(wave)

    def mel_power(self, wave: Tensor) -> Tensor:
        """(B, 1, T) -> (B, 1, mels, frames)."""
        return self.filters.to(wave.dtype) @ self.power(wave)


def _empty(filters: Tensor) -> int:
    """How many filters are all zeros."""
    return int((filters.amax(1) <= 0).sum())
