"""Signals of one length, against the plainest way to get there."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch.nn import functional as F

from sigconv.signals.length import EDGE, fit_length

DTYPES = [np.int16, np.uint8, np.float32]


@st.composite
def signals(draw: st.DrawFn) -> torch.Tensor:
    """Sound or video, channels first."""
    shape = draw(st.sampled_from([(1,), (2,), (1, 2, 3)]))
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    values = st.floats(-1, 1, width=32) if dtype.kind == "f" else st.integers(0, np.iinfo(dtype).max)
    array = draw(arrays(dtype, (shape[0], draw(st.integers(1, 12)), *shape[1:]), elements=values))
    return torch.from_numpy(array)


def energies(signal: torch.Tensor, length: int, beyond: int = 0) -> list[float]:
    """Of each stretch of that length, and of those that begin or end up to so far beyond the signal."""
    changes = signal.double().diff(dim=1).square()
    changes = changes.sum([0, *range(2, signal.ndim)])
    energy = F.pad(changes, (1 + beyond, beyond))  # nothing has changed before the first sample
    return [energy[start : start + length].sum().item() for start in range(len(energy) - length + 1)]


@given(signals(), st.integers(1, 15))
def test_it_is_a_stretch_between_zeros_with_almost_the_most_energy(signal: torch.Tensor, length: int) -> None:
    fitted, time = fit_length(signal, length), signal.shape[1]
    assert fitted.dtype == signal.dtype
    assert fitted.shape == (signal.shape[0], length, *signal.shape[2:])
    around = torch.zeros_like(fitted)
    long = torch.cat([around, signal, around], 1)
    starts = [i for i in range(time + length + 1) if torch.equal(long[:, i : i + length], fitted)]
    if length >= time:
        assert length - (length - time) // 2 in starts
    else:
        most, there = max(energies(signal, length)), energies(signal, length, beyond=length)
        assert max(there[i] for i in starts) >= (1 - 2 * EDGE) * most * (1 - 1e-9)


def word(rate: int, before: float, after: float, seconds: float = 0.4) -> torch.Tensor:
    """A whistle between silences: (1, T) int16."""
    time = torch.arange(round(seconds * rate)) / rate
    whistle = 5000 * torch.sin(2 * torch.pi * 600 * time)
    return F.pad(whistle, (round(before * rate), round(after * rate))).to(torch.int16)[None]


def middle(sound: torch.Tensor, rate: int) -> float:
    """Of what can be heard, in seconds."""
    heard = sound[0].nonzero()
    return float(heard[0] + heard[-1]) / 2 / rate


@pytest.mark.parametrize(
    ("before", "after"), [(3, 0), (0, 3), (3, 0.3), (0.3, 3), (2, 2), (0, 0.6), (0.5, 0.1), (0.1, 0.4), (0, 0)]
)
@pytest.mark.parametrize("level", [0, 9000])
def test_a_word_is_in_the_middle_wherever_silence_is(before: float, after: float, level: int) -> None:
    sound = fit_length(word(8000, before, after) + level, 8000, rate=8000)
    heard = torch.where(sound == 0, 0, sound - level)  # zeros beyond the recording
    assert middle(heard, 8000) == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("rate", [8000, 16000])
def test_rumble_does_not_draw_it_away(rate: int) -> None:
    sound = word(rate, 0.5, 3)
    time = torch.arange(sound.shape[1]) / rate
    rumble = 12000 * torch.sin(2 * torch.pi * 30 * time) * (time > 2)
    noisy = (sound + rumble).to(torch.int16)
    assert middle(fit_length(noisy, rate, rate=rate), rate) == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("seconds", [0.575, 2])
def test_a_click_does_not_draw_it_away(seconds: float) -> None:
    quiet = word(8000, 0, seconds) // 50
    quiet[0, -200:-120] = torch.randn(80) * 15000
    assert middle(fit_length(quiet, 8000, 8000)[:, :6500], 8000) == pytest.approx(0.5, abs=0.02)
    click = torch.zeros(1, 20000, dtype=torch.int16)
    click[0, 15000:15080] = 1000
    assert middle(fit_length(click, 8000, 8000), 8000) == pytest.approx(0.5, abs=0.02)  # where there is nothing else


def test_a_mouth_that_moves_is_found_while_the_light_fades() -> None:
    film = (200 - torch.arange(100.0)).reshape(1, 100, 1, 1).repeat(1, 1, 8, 8)
    film[:, 60:80, 2:6, 2:6] += 40 * (torch.arange(20) % 4 < 2).reshape(1, 20, 1, 1)
    fitted = fit_length(film, 30)
    moves = fitted.diff(dim=1).abs().amax((0, 2, 3)) > 5
    first, last = moves.nonzero().flatten()[[0, -1]].tolist()
    assert moves.sum() == 10  # all
    assert first + last == pytest.approx(29, abs=3)


def test_silence_gives_silence() -> None:
    assert not fit_length(torch.zeros(1, 50, dtype=torch.int16), 20).any()


@pytest.mark.parametrize("rate", [None, 8000])
def test_a_recording_in_which_nothing_varies_is_centred_as_a_whole(rate: float | None) -> None:
    sound = fit_length(torch.full((1, 50), 7, dtype=torch.int16), 90, rate)
    assert torch.equal(sound, F.pad(torch.full((1, 50), 7, dtype=torch.int16), (20, 20)))
