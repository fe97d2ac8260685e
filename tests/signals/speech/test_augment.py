"""Augmentation of sound does what it states."""

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

from sigconv.errors import UsageError
from sigconv.signals.speech.augment import (
    AddNoise,
    Equalise,
    Gain,
    Overload,
    Room,
    TimeShift,
    WaveformAugmentation,
    active_power,
    fft_length,
)
from sigconv.signals.speech.voice import Speed, VocalTract

RATE = 8000
AUGMENTATIONS: dict[str, Callable[[], WaveformAugmentation]] = {
    "shift": lambda: TimeShift(RATE, 0.1),
    "gain": lambda: Gain(6),
    "overload": lambda: Overload(),
    "equalise": lambda: Equalise(12),
    "noise": lambda: AddNoise(RATE),
    "room": lambda: Room(RATE),
    "speed": lambda: Speed(0.2),
    "tract": lambda: VocalTract(RATE, 0.25),
}
OFF = [TimeShift(RATE, 0), Gain(0), Equalise(0), AddNoise(RATE, probability=0), Room(RATE, probability=0), Speed(0)]
OFF += [VocalTract(RATE, 0), Overload(probability=0)]


@pytest.fixture(params=AUGMENTATIONS)
def augmentation(request: pytest.FixtureRequest) -> WaveformAugmentation:
    return AUGMENTATIONS[request.param]()


def recordings(count: int = 4, samples: int = 2000) -> Tensor:
    """Integer noise in the middle third, zeros around."""
    sound = torch.zeros(count, 1, samples)
    third = samples // 3
    sound[..., third : 2 * third] = torch.randn(count, 1, third) * 3000
    return sound.to(torch.int16)


def impulse(count: int, place: int, samples: int = RATE) -> Tensor:
    sound = torch.zeros(count, 1, samples)
    sound[..., place] = 1
    return sound


def to_db(power: Tensor) -> Tensor:
    return 10 * power.log10()


def test_integers_become_floating_point(augmentation: WaveformAugmentation) -> None:
    sound = recordings()
    assert augmentation(sound).dtype == torch.float32
    assert torch.equal(augmentation.eval()(sound), sound / 32768)


@pytest.mark.parametrize("augmentation", OFF, ids=lambda module: type(module).__name__)
def test_nothing_happens_without_limits(augmentation: WaveformAugmentation) -> None:
    sound = recordings()
    assert torch.equal(augmentation.train()(sound), sound / 32768)


def test_silence_stays_silence(augmentation: WaveformAugmentation) -> None:
    assert torch.equal(augmentation(torch.zeros(2, 1, 1000)), torch.zeros(2, 1, 1000))


@settings(max_examples=20, deadline=None)
@given(kind=st.sampled_from(sorted(AUGMENTATIONS)), count=st.integers(0, 3), samples=st.integers(0, 700))
def test_any_shape(kind: str, count: int, samples: int) -> None:
    augmented = AUGMENTATIONS[kind]()(torch.randn(count, 1, samples))
    assert augmented.shape == (count, 1, samples)
    assert augmented.isfinite().all()


def test_shifts_are_whole_samples_within_the_limit() -> None:
    shifted = TimeShift(RATE, seconds=0.01)(impulse(2000, 500, 1000))
    assert_close(shifted.sum(-1), torch.ones(2000, 1))
    places = shifted.argmax(-1) - 500
    assert sorted(set(places.flatten().tolist())) == list(range(-80, 81))


def test_zeros_move_in_behind_a_shift() -> None:
    sound = torch.arange(1.0, 101).expand(50, 1, 100)
    for row in TimeShift(100, seconds=3)(sound)[:, 0]:
        kept = row[row > 0]
        assert_close(kept.diff(), torch.ones(max(0, len(kept) - 1)))
        assert kept.numel() == 0 or kept[0] == 1 or kept[-1] == 100


def test_gain_is_uniform_in_decibels() -> None:
    level = to_db(Gain(10)(torch.ones(4000, 1, 1)).square())
    assert level.abs().max() <= 10.001
    assert abs(level.mean()) < 0.5
    assert 5.4 < level.std() < 6.2


def test_overload_clips_at_a_level_uniform_in_decibels() -> None:
    sound = torch.linspace(-0.5, 0.5, 2001).expand(4000, 1, -1)
    loud = Overload((0, 20))(sound)
    peak = loud.amax(-1, keepdim=True)
    assert_close(loud, sound.clamp(-peak, peak))
    level = to_db((peak / 0.5).square())
    assert -20.001 < level.min() < -19.9
    assert -0.1 < level.max() <= 0
    assert abs(level.mean() + 10) < 0.5


def test_active_power_leaves_silence_out() -> None:
    sound = recordings(3, 1920).double()
    assert_close(active_power(sound, RATE), sound[..., 640:1280].square().mean(-1, keepdim=True))
    loud_and_soft = torch.cat([torch.ones(1, 1, 800), torch.full((1, 1, 800), 1e-2)], -1)
    assert_close(active_power(loud_and_soft, RATE), torch.ones(1, 1, 1))


@pytest.mark.parametrize("colour", [(0, 0), (2, 2)])
def test_the_signal_to_noise_ratio_is_exact(colour: tuple[float, float]) -> None:
    sound = recordings(3, 1920).double()
    noise = AddNoise(RATE, snr=(7, 7), colour=colour)(sound) - sound
    ratio = sound[..., 640:1280].square().mean(-1) / noise.square().mean(-1)
    assert_close(to_db(ratio), torch.full((3, 1), 7.0, dtype=torch.float64))
    assert (noise[..., :640].std(-1) > 0.3 * noise.std(-1)).all()


def test_ratios_fill_their_range() -> None:
    sound = torch.randn(500, 1, 320)
    noise = AddNoise(RATE, snr=(0, 20))(sound) - sound
    ratio = to_db(sound.square().mean(-1) / noise.square().mean(-1))
    assert -0.01 <= ratio.min() < 1
    assert 19 < ratio.max() <= 20.01


@pytest.mark.parametrize("exponent", [0, 1, 2])
def test_noise_has_its_colour(exponent: float) -> None:
    sound = torch.full((40, 1, 8192), 1e-3)
    noise = AddNoise(RATE, snr=(0, 0), colour=(exponent, exponent))(sound) - sound
    power = torch.fft.rfft(noise).abs().square().mean((0, 1))
    frequency = torch.fft.rfftfreq(8192, 1 / RATE)

    def level(low: float, high: float) -> float:
        return float(to_db(power[(frequency >= low) & (frequency < high)].mean()))

    assert level(240, 260) - level(2400, 2600) == pytest.approx(10 * exponent, abs=1)
    assert level(10, 25) - level(30, 45) == pytest.approx(0, abs=1.5)


def test_a_room_keeps_the_direct_sound_and_adds_what_is_stated() -> None:
    times, ratio = (0.3, 0.3), (5, 5)
    heard = Room(RATE, times, ratio)(impulse(200, 1000).double())[:, 0]
    assert_close(heard[:, 1000], torch.ones(200, dtype=torch.float64))
    assert heard[:, :1000].abs().max() < 1e-9
    tail = heard[:, 1001:].square()
    assert_close(to_db(1 / tail.sum(-1)), torch.full((200,), 5.0, dtype=torch.float64))
    decay = to_db(tail[:, 1600:1800].mean()) - to_db(tail[:, :200].mean())
    assert decay == pytest.approx(-60 * 0.2 / 0.3, abs=0.5)


def test_what_rings_on_past_the_end_is_lost() -> None:
    heard = Room(RATE, (0.5, 0.5), (0, 0))(impulse(20, 7990))
    assert heard[..., :7990].abs().max() < 1e-5


def test_rooms_differ_within_their_ranges() -> None:
    heard = Room(RATE, (0.1, 0.5), (0, 15))(impulse(300, 0))[:, 0, 1:].square()
    ratio = -to_db(heard.sum(-1))
    assert -0.01 <= ratio.min() < 1
    assert 14 < ratio.max() <= 15.01
    centre = (heard * torch.arange(1, RATE) / RATE).sum(-1) / heard.sum(-1)  # RT60 / (6 ln 10)
    assert 0.1 < (centre.min() * 6 * math.log(10)) < 0.15
    assert 0.4 < (centre.max() * 6 * math.log(10)) < 0.6


def test_an_equaliser_is_smooth_within_its_limit_and_has_no_delay() -> None:
    heard = Equalise(12)(impulse(100, 4000))[:, 0]
    assert (heard.argmax(-1) == 4000).all()
    level = to_db(torch.fft.rfft(heard).abs().square())
    assert level.abs().max() <= 12.5
    peak = level.abs().amax(-1)
    assert peak.min() < 2 < 10 < peak.max()
    octave = level[:, 2000] - level[:, 1900]
    assert octave.abs().max() < 3


def test_an_equaliser_adds_nothing_at_the_other_end() -> None:
    heard = Equalise(20)(impulse(50, 7990))
    assert heard[..., :4000].abs().max() < 1e-3


@given(samples=st.integers(1, 10**6))
def test_lengths_for_the_fft_are_little_longer(samples: int) -> None:
    assert samples <= fft_length(samples) <= 1.125 * samples + 1


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: TimeShift(RATE, -1), "TimeShift: seconds is -1"),
        (lambda: TimeShift(0, 1), "rate is 0"),
        (lambda: Gain(math.nan), "db is nan"),
        (lambda: Gain(math.inf), "db is inf"),
        (lambda: Equalise(-3), "db is -3"),
        (lambda: AddNoise(RATE, snr=(30, 5)), r"snr is \[30.0, 5.0\]"),
        (lambda: AddNoise(RATE, snr=(-math.inf, 5)), "two numbers"),
        (lambda: AddNoise(RATE, colour=(1,)), "two numbers"),
        (lambda: Room(RATE, (0, 1)), "reverberation_time is 0"),
        (lambda: Speed(-0.1), "limit is -0.1"),
        (lambda: VocalTract(RATE, -0.1), "limit is -0.1"),
        (lambda: Gain(3)(torch.zeros(2, 2, 100)), "mono"),
    ],
)
def test_wrong_arguments_are_named(make: Callable[[], object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        make()
