"""Voices change as stated: pitch, formants and tempo together or apart."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

from sigconv.signals.speech.voice import Speed, VocalTract, resample, scale_formants, vocal_tract_map

RATE = 8000
FORMANTS = (500.0, 1500.0, 2500.0)


def factors(*values: float) -> Tensor:
    return torch.tensor(values).reshape(-1, 1, 1)


def tone(frequency: float, samples: int = RATE) -> Tensor:
    return torch.sin(2 * math.pi * frequency / RATE * torch.arange(samples, dtype=torch.float64)).float()


def vowel(pitch: int, rate: int = RATE) -> Tensor:
    """One second of harmonics of `pitch` through resonances 80 Hz wide at `FORMANTS`: (1, 1, rate)."""
    harmonics = torch.arange(pitch, rate // 2, pitch, dtype=torch.float64)
    z = torch.exp(-2j * math.pi / rate * harmonics)
    response = (1 - z) / z
    for formant in FORMANTS:
        pole = math.exp(-math.pi * 80 / rate) * torch.exp(torch.tensor(2j * math.pi * formant / rate))
        response = response / ((1 - pole * z) * (1 - pole.conj() * z))
    time = torch.arange(rate, dtype=torch.float64) / rate
    phase = 2 * math.pi * harmonics[:, None] * time + response.angle()[:, None]
    sound = (response.abs()[:, None] * phase.cos()).sum(0)
    return (sound / sound.abs().max())[None, None].float()


def spectrum(sound: Tensor) -> Tensor:
    """Power of (T,) by frequency, seen through a window without side lobes."""
    window = torch.signal.windows.blackman(len(sound), dtype=torch.float64)
    return torch.fft.rfft(sound.double() * window).abs().square()


def centroid(sound: Tensor) -> float:
    """In Hz, of (T,)."""
    power = spectrum(sound)
    return float((power * torch.arange(len(power))).sum() / power.sum() * RATE / len(sound))


def formants(sound: Tensor, rate: int, order: int = 10) -> list[float]:
    """Peaks in Hz of the all-pole model of (1, 1, T): linear prediction by the autocorrelation."""
    power = spectrum(sound[0, 0, 1000:-1000])
    correlation = torch.fft.irfft(power)[: order + 1]
    lag = torch.arange(order)
    matrix = correlation[(lag[:, None] - lag).abs()] + 1e-6 * correlation[0] * torch.eye(order)
    predictor = torch.linalg.solve(matrix, correlation[1:])
    inverse = torch.fft.rfft(torch.cat([torch.ones(1), -predictor]), 4096).abs()
    valley = (inverse[1:-1] < inverse[:-2]) & (inverse[1:-1] < inverse[2:])
    return ((valley.nonzero()[:, 0] + 1) * rate / 4096).tolist()


def nearest(values: list[float], value: float) -> float:
    return min(values, key=lambda candidate: abs(candidate - value))


@pytest.mark.parametrize("factor", [0.8, 1.0, 1.2])
def test_speed_scales_every_frequency_and_the_duration(factor: float) -> None:
    sound = torch.zeros(RATE)
    sound[3000:5000] = tone(900, 2000) * torch.hann_window(2000, periodic=False)
    heard = resample(sound[None, None], factors(factor))[0, 0]
    assert centroid(heard) == pytest.approx(900 * factor, rel=2e-3)
    power = heard.square()
    place = torch.arange(RATE) - 3999.5
    assert (power * place).sum() / power.sum() == pytest.approx(0, abs=0.1)
    assert power.sum() / sound.square().sum() == pytest.approx(1 / factor, rel=1e-3)


def test_speed_adds_no_images_and_no_aliases() -> None:
    for frequency, factor in ((500, 0.8), (1000, 0.83), (2000, 0.8), (1900, 1.25)):
        heard = resample(tone(frequency)[None, None], factors(factor))[0, 0, 2000:6000]
        power = spectrum(heard)
        place = round(frequency * factor / RATE * 4000)
        own = power[place - 6 : place + 7].sum()
        rest = power.sum() - own
        assert 10 * math.log10(rest / own) < -60
    gone = resample(tone(3500)[None, None], factors(1.2))[..., 2000:6000]  # would be 4200 Hz of at most 4000
    assert gone.abs().max() < 1e-3


def test_at_its_own_speed_sound_is_itself() -> None:
    sound = torch.nn.functional.pad(tone(900, 1000) * torch.hann_window(1000), (300, 400))[None, None]
    assert_close(resample(sound, factors(1)), sound, atol=1e-4, rtol=0)


def test_a_faster_recording_stands_between_zeros() -> None:
    heard = resample(torch.ones(1, 1, 1000), factors(1.25))[0, 0]
    assert heard[:99].abs().max() == 0
    assert heard[-99:].abs().max() == 0
    assert_close(heard[150:-150], torch.ones(700), atol=0.02, rtol=0)


def test_speeds_are_uniform_in_their_logarithm() -> None:
    sound = torch.zeros(300, 1, 2000)
    sound[..., 980:1020] = 1
    energy = Speed(0.25)(sound).sum(-1) / 40
    assert 1 / 1.26 < energy.min() < 0.83
    assert 1.2 < energy.max() < 1.26
    assert abs(energy.log().mean()) < 0.03


@pytest.mark.parametrize("rate", [8000, 16000])
@pytest.mark.parametrize("factor", [0.8, 0.9, 1.1, 1.25])
def test_formants_move_and_harmonics_stay(rate: int, factor: float) -> None:
    pitch = 125
    source = vowel(pitch, rate)
    heard = scale_formants(source, factors(factor), rate)
    for place in formants(source, rate)[1:]:
        moved = float(vocal_tract_map(torch.tensor(place), torch.tensor(factor), rate))
        assert nearest(formants(heard, rate), moved) == pytest.approx(moved, rel=0.03)
    power = spectrum(heard[0, 0])
    harmonic = torch.zeros_like(power)
    for place in range(pitch, rate // 2, pitch):
        harmonic[place - 3 : place + 4] = 1
    assert (power * harmonic).sum() / power.sum() > 0.99


def test_tempo_stays_when_formants_move() -> None:
    sound = torch.zeros(2, 1, RATE)
    sound[..., 3000:5000] = torch.randn(2, 1, 2000)
    heard = scale_formants(sound, factors(0.8, 1.25), RATE).square()
    place = torch.arange(RATE) - 3999.5
    assert ((heard * place).sum(-1) / heard.sum(-1)).abs().max() < 60
    assert heard[..., :2700].sum() + heard[..., 5300:].sum() < 1e-3 * heard.sum()


def test_a_factor_of_one_changes_nothing() -> None:
    sound = torch.randn(3, 1, 777)
    assert_close(scale_formants(sound, factors(1, 1, 1), RATE), sound, atol=1e-5, rtol=0)


def test_every_tract_is_another_one() -> None:
    source = vowel(125).expand(2, -1, -1)
    first, second = (formants(heard[None], RATE)[1] for heard in VocalTract(RATE, 0.25)(source))
    assert abs(first - second) > 20


@given(factor=st.floats(0.6, 1.6), share=st.floats(0, 1), rate=st.sampled_from([8000, 16000, 44100]))
def test_the_map_of_frequencies_is_undone_by_its_inverse(factor: float, share: float, rate: float) -> None:
    frequency = torch.tensor([0, share * rate / 2, rate / 2], dtype=torch.float64)
    change = torch.tensor(factor, dtype=torch.float64)
    mapped = vocal_tract_map(frequency, change, rate)
    assert_close(mapped[[0, 2]], frequency[[0, 2]])
    assert_close(vocal_tract_map(mapped, 1 / change, rate), frequency)
    if frequency[1] * max(1, factor) <= min(4800, 0.4 * rate):
        assert_close(mapped[1], frequency[1] * factor)
