"""Sound in a report: what is seen is where the sound is, and what is heard is the sound."""

import base64
import io
import re
import warnings

import cv2
import numpy as np
import pytest
import soundfile
import torch
from markupsafe import Markup
from tones import RATE, whistle
from torch import nn

from sigconv.blocks import chain
from sigconv.signals.speech.filterbanks import FreeFilters, SincFilters
from sigconv.signals.speech.spectrum import LogMel
from sigconv.signals.speech.waveform import Waveform
from sigconv.train.report import sound
from sigconv.train.report.learned import learned_filters


def decoded(markup: Markup) -> bytes:
    return base64.b64decode(re.search(r'base64,([^"]+)"', markup)[1])


def picture(markup: Markup) -> np.ndarray:
    """(height, width) float, in black and white."""
    pixels = cv2.imdecode(np.frombuffer(decoded(markup), np.uint8), cv2.IMREAD_COLOR)
    return pixels.astype(float).sum(2)


@pytest.mark.parametrize("rate", [8000, 12000, 16000, 48000])
@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_a_spectrogram_has_time_to_the_right_and_frequency_upwards(rate: int, dtype: type) -> None:
    quiet = np.zeros(rate // 2, np.int16)
    samples = np.concatenate([whistle(200, 0.5, rate), quiet, whistle(rate / 2.5, 0.5, rate)])
    if dtype is np.float32:
        samples = (samples / 32768).astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pixels = picture(sound.spectrogram(samples, rate))
    assert pixels.shape[0] == sound.BANDS
    assert pixels.shape[1] == pytest.approx(150, abs=2)  # 10 ms a column
    brightest = pixels.argmax(0)
    assert (brightest[5:45] > 0.75 * sound.BANDS).all()
    assert (brightest[105:145] < 0.25 * sound.BANDS).all()
    assert pixels[:, 60:90].max() < pixels[:, 5:45].max() / 2


@pytest.mark.parametrize("samples", [np.zeros(800, np.int16), np.ones(1, np.int16), whistle(500, 0.02)])
def test_silence_and_the_shortest_sounds_are_shown_too(samples: np.ndarray) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert picture(sound.spectrogram(samples, RATE)).size


@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_a_player_plays_the_samples(dtype: type) -> None:
    samples = whistle(500)
    given = samples if dtype is np.int16 else (samples / 32768).astype(dtype)
    played, rate = soundfile.read(io.BytesIO(decoded(sound.player(given, RATE))), dtype="int16")
    assert rate == RATE
    assert np.array_equal(played, samples)


def test_filters_are_found_where_they_are_on_raw_samples() -> None:
    front = SincFilters(rate=RATE, filters=12)
    conv = nn.Sequential(nn.Conv1d(1, 7, 31), nn.Conv1d(7, 9, 5))
    assert learned_filters(chain(spectrum=front), nn.Linear(3, 3), (1, 12, 9)).shape == (
        12,
        front.filters().shape[1],
    )
    assert torch.equal(learned_filters(Waveform(), conv, (1, 800)), conv[0].weight[:, 0])
    assert learned_filters(LogMel(rate=RATE), nn.Conv2d(1, 7, 3), (1, 40, 9)) is None
    assert learned_filters(LogMel(rate=RATE), nn.Conv1d(40, 40, 3, groups=40), (1, 40, 9)) is None
    assert learned_filters(Waveform(), nn.Linear(800, 7), (1, 800)) is None


@pytest.mark.parametrize("filters", [torch.zeros(3, 9), torch.randn(1, 2), FreeFilters(rate=RATE).filters().detach()])
def test_any_filters_are_drawn(filters: torch.Tensor) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = sound.frequency_responses(filters, RATE)
    assert figure.startswith("<svg")
    assert "as many on the mel scale" in figure
