"""The mel scale of pitch, in its two common definitions."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from sigconv.names import known

SCALES = ("slaney", "htk")
KNEE_HZ, KNEE_MEL = 1000.0, 15.0
OCTAVES = math.log(6.4) / 27
"""The logarithmic step of one mel on Slaney's scale above the knee: 27 mels for a factor of 6.4."""


def to_mel(hz: Tensor, scale: str = "slaney") -> Tensor:
    """Hz to mels.

    Args:
        scale: "slaney", as in Slaney's Auditory Toolbox (1998) and librosa: linear up to 1 kHz, logarithmic above; or
            "htk", as in the HTK Book and torchaudio: 2595 log10(1 + f / 700).

    Raises:
        UsageError: any other scale.
    """
    if known("mel scale", scale, SCALES) == "htk":
        return 2595 * torch.log10(1 + hz / 700)
    above = KNEE_MEL + torch.log(hz.clamp(min=KNEE_HZ) / KNEE_HZ) / OCTAVES
    return torch.where(hz < KNEE_HZ, hz * (KNEE_MEL / KNEE_HZ), above)


def from_mel(mel: Tensor, scale: str = "slaney") -> Tensor:
    """Mels to Hz: the inverse of :func:`to_mel`."""
    if known("mel scale", scale, SCALES) == "htk":
        return 700 * (10 ** (mel / 2595) - 1)
    above = KNEE_HZ * torch.exp((mel.clamp(min=KNEE_MEL) - KNEE_MEL) * OCTAVES)
    return torch.where(mel < KNEE_MEL, mel * (KNEE_HZ / KNEE_MEL), above)


def mel_points(count: int, low: float, high: float, scale: str = "slaney") -> Tensor:
    """Frequencies from ``low`` to ``high`` in Hz, ends included, evenly spaced in mels: (count,), float64."""
    first, last = to_mel(torch.tensor([low, high], dtype=torch.float64), scale)
    return from_mel(torch.linspace(float(first), float(last), count, dtype=torch.float64), scale)


def mel_triangles(count: int, low: float, high: float, rate: float, n_fft: int, scale: str = "slaney") -> Tensor:
    """Triangular bands over the bins of a spectrum, each from its left to its right neighbour's peak.

    Following each definition, they have equal area on Slaney's scale, 1 if bins were 1 Hz apart, and height 1 on HTK's.

    Returns:
        (count, n_fft / 2 + 1); a band that falls between two bins is all zeros.
    """
    edges = mel_points(count + 2, low, high, scale).unsqueeze(1)
    left, top, right = edges[:-2], edges[1:-1], edges[2:]
    lines = torch.linspace(0, rate / 2, n_fft // 2 + 1, dtype=torch.float64)
    triangles = torch.minimum((lines - left) / (top - left), (right - lines) / (right - top)).clamp(min=0)
    if scale == "slaney":
        triangles = triangles * 2 / (right - left)
    return triangles.to(torch.get_default_dtype())
