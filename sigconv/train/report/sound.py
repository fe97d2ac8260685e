"""Draws sound in a report: to look at, to listen to, and the filters that were learned for it."""

import base64
import io

import librosa
import numpy as np
import soundfile
import torch
from markupsafe import Markup
from matplotlib import colormaps, rc_context
from matplotlib.figure import Figure
from torch import Tensor
from torchaudio.transforms import MelSpectrogram

from sigconv.signals.speech.decibels import decibels
from sigconv.train.report.pictures import BLUE, INK, ORANGE, STYLE, fade, png, svg

BANDS, RANGE_DB = 64, 70  # of the spectrograms
AUDIBLE = 0.02  # seconds


def recording(signal: Tensor, rate: float | None) -> Markup:
    """A spectrogram over a player; `signal` (1, samples), int16 or in [-1, 1]."""
    samples = signal[0].detach().cpu().numpy()
    return Markup('<div class="sound">{}{}</div>').format(spectrogram(samples, rate or 1), player(samples, rate or 1))


def spectrogram(samples: np.ndarray, rate: float) -> Markup:
    """Mel bands upwards, time to the right, 10 ms a column, `RANGE_DB` from the darkest to the lightest."""
    floating = samples / 32768 if samples.dtype == np.int16 else samples
    window = round(0.025 * rate)
    points = max(512, 2 ** (window - 1).bit_length())
    wave = np.pad(np.asarray(floating, np.float32), (0, max(0, points - len(floating))))
    bands = {"n_mels": BANDS, "norm": "slaney", "mel_scale": "slaney"}
    mel = MelSpectrogram(round(rate), points, window, round(0.01 * rate), pad_mode="constant", **bands)
    loudness = decibels(mel(torch.from_numpy(wave))[None], RANGE_DB)[0].flip(0)
    colours = colormaps["magma"](1 + ((loudness - loudness.max()) / RANGE_DB).numpy())
    return png((255 * colours[..., :3]).astype(np.uint8))


def player(samples: np.ndarray, rate: float) -> Markup:
    """An audio player of int16 samples, or of floating-point ones in [-1, 1]."""
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, round(rate), "PCM_16", format="WAV")
    data = base64.b64encode(buffer.getvalue()).decode()
    return Markup('<audio controls preload="none" src="data:audio/wav;base64,{}"></audio>').format(data)


def excerpt(signal: Tensor, rate: float, begin: float, end: float) -> Markup:
    """A player of the part of a signal (1, samples) between two fractions of its length; none if too short."""
    first, last = (round(share * signal.shape[1]) for share in (begin, end))
    part = signal[0, first:last].detach().cpu().numpy()
    return player(part, rate) if len(part) >= AUDIBLE * rate else Markup("")


def frequency_responses(filters: Tensor, rate: float) -> Markup:
    """How much each filter lets through at each frequency, in order of the filters' centre frequencies.

    The centre is the frequency below which half of a filter's power lies. A second line shows the centres of as many
    filters that are evenly spaced on the mel scale.
    """
    points = max(512, 2 ** (filters.shape[1] - 1).bit_length())
    power = torch.fft.fft(filters, points).abs().square()[:, : points // 2 + 1].numpy()
    frequencies = np.linspace(0, rate / 2, points // 2 + 1)
    below = power.cumsum(1)
    centres = frequencies[(below < below[:, -1:] / 2).sum(1)]
    order = centres.argsort()
    response = 10 * np.log10(power[order] / np.maximum(power[order].max(1, keepdims=True), 1e-20) + 1e-4)
    numbers = np.arange(1, len(filters) + 1)
    mels = librosa.mel_frequencies(len(filters) + 2, fmin=0, fmax=rate / 2)[1:-1]
    with rc_context(STYLE):
        figure = Figure((7, 4.4), layout="constrained")
        axes = figure.subplots()
        box = (0.5, len(filters) + 0.5, 0, rate / 2000)
        axes.imshow(response.T, origin="lower", aspect="auto", extent=box, cmap=fade(BLUE, 0.02), vmin=-30, vmax=0)
        axes.plot(numbers, mels / 1000, "--", color=INK, linewidth=1.2, label="as many on the mel scale")
        axes.plot(numbers, centres[order] / 1000, ".", color=ORANGE, markersize=5, label="centre of each filter")
        axes.set(xlabel="filter, by centre frequency", ylabel="kHz")
        figure.legend(frameon=False, loc="outside upper left", ncols=2)
        return svg(figure, "responses")
