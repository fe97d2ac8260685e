"""Features of sound from its short-time spectrum: spectrogram, log mel bands, cepstrum, per-channel normalised energy.

Each is a module from raw signals to a picture of them: (B, 1, T), int16 or floating, to (B, 1, F, frames) of float32,
or of float64 for a float64 signal; F runs from low to high frequency. Frames and precision are as in
:mod:`sigconv.signals.speech.power`.
"""

import torch
import torchaudio.functional as AF
from torch import Tensor

from sigconv.errors import UsageError
from sigconv.signals import check
from sigconv.signals.speech.decibels import decibels
from sigconv.signals.speech.pcen import EnergyNorm
from sigconv.signals.speech.power import MelSpectrum, PowerSpectrum


class Spectrogram(PowerSpectrum):
    """Log power of each frequency over time, in dB, by :func:`decibels`.

    Args:
        range_db: the dynamic range, in dB below the loudest point of each recording; None for no such floor.
        Others: as in :class:`PowerSpectrum`.

    Shape: (B, 1, T) to (B, 1, n_fft / 2 + 1, frames).
    """

    def __init__(self, rate: float, window: float = 0.025, hop: float = 0.010, range_db: float | None = 80.0) -> None:
        super().__init__(rate, window, hop)
        self.range_db = check.range_db(self, range_db)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, range_db={self.range_db}"

    def features(self, wave: Tensor) -> Tensor:
        return decibels(self.power(wave), self.range_db)


class LogMel(MelSpectrum):
    """Log power in mel bands, in dB, by :func:`decibels`: the usual input of speech networks.

    In dB rather than nepers, as the range is, and as is customary; networks need a normalisation after either.

    Args:
        range_db: the dynamic range, in dB below the loudest point of each recording; None for no such floor.
        Others: as in :class:`MelSpectrum`.

    Shape: (B, 1, T) to (B, 1, mels, frames).
    """

    def __init__(
        self,
        rate: float,
        mels: int = 40,
        window: float = 0.025,
        hop: float = 0.010,
        low: float = 20.0,
        high: float | None = None,
        scale: str = "slaney",
        range_db: float | None = 80.0,
    ) -> None:
        super().__init__(rate, mels, window, hop, low, high, scale)
        self.range_db = check.range_db(self, range_db)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, range_db={self.range_db}"

    def features(self, wave: Tensor) -> Tensor:
        return decibels(self.mel_power(wave), self.range_db)


class MFCC(LogMel):
    """Mel-frequency cepstral coefficients and their deltas (changes in time), stacked along the frequency axis.

    The orthonormal cosine transform (DCT-II) of the log mel bands in dB: coefficient 0 is loudness, the next few the
    shape of the spectrum. Davis & Mermelstein, "Comparison of parametric representations for monosyllabic word
    recognition in continuously spoken sentences", 1980. Deltas are the slope of the least-squares line through five
    frames, :func:`torchaudio.functional.compute_deltas`; further deltas are the deltas of these, as in HTK.

    Args:
        coefficients: how many are kept, the lowest first; at most as many as mels.
        deltas: how many times deltas are taken: 0 or more.
        Others: as in :class:`LogMel`.

    Shape: (B, 1, T) to (B, 1, coefficients * (1 + deltas), frames).
    """

    cosines: Tensor

    def __init__(
        self,
        rate: float,
        coefficients: int = 13,
        mels: int = 40,
        deltas: int = 2,
        window: float = 0.025,
        hop: float = 0.010,
        low: float = 20.0,
        high: float | None = None,
        scale: str = "slaney",
        range_db: float | None = 80.0,
    ) -> None:
        super().__init__(rate, mels, window, hop, low, high, scale, range_db)
        if not 1 <= coefficients <= mels:
            raise UsageError(f"MFCC: coefficients is {coefficients}; of {mels} mels there are 1 to {mels}")
        if deltas < 0:
            raise UsageError(f"MFCC: deltas is {deltas}; it must be at least 0")
        self.coefficients, self.deltas = coefficients, deltas
        self.register_buffer("cosines", AF.create_dct(coefficients, mels, "ortho").T.contiguous(), persistent=False)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, coefficients={self.coefficients}, deltas={self.deltas}"

    def features(self, wave: Tensor) -> Tensor:
        parts = [self.cosines.to(wave.dtype) @ super().features(wave)]
        for _ in range(self.deltas):
            parts.append(AF.compute_deltas(parts[-1], win_length=5))
        return torch.cat(parts, dim=2)


class PCEN(MelSpectrum):
    """Power in mel bands, each normalised by its own recent past: :class:`sigconv.signals.speech.pcen.EnergyNorm`.

    Args:
        learned: whether the parameters of each band are trained with the network.
        Others: as in :class:`MelSpectrum`.

    Shape: (B, 1, T) to (B, 1, mels, frames).
    """

    def __init__(
        self,
        rate: float,
        mels: int = 40,
        window: float = 0.025,
        hop: float = 0.010,
        low: float = 20.0,
        high: float | None = None,
        scale: str = "slaney",
        learned: bool = True,
    ) -> None:
        super().__init__(rate, mels, window, hop, low, high, scale)
        self.norm = EnergyNorm(mels, hop, learned=learned)

    def features(self, wave: Tensor) -> Tensor:
        return self.norm(self.mel_power(wave))
