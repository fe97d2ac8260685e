"""Signals of one length, against the plainest way to get there."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sigconv.signals.length import fit_length

DTYPES = [np.int16, np.uint8, np.float32]


@st.composite
def signals(draw: st.DrawFn) -> torch.Tensor:
    """Sound or video, channels first."""
    shape = draw(st.sampled_from([(1,), (2,), (1, 2, 3)]))
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    values = st.floats(-1, 1, width=32) if dtype.kind == "f" else st.integers(0, np.iinfo(dtype).max)
    array = draw(arrays(dtype, (shape[0], draw(st.integers(1, 12)), *shape[1:]), elements=values))
    return torch.from_numpy(array)


def energies(signal: torch.Tensor, length: int) -> list[float]:
    """Of each stretch of that length, about the mean of each place over all the time."""
    values = signal.double()
    values = values - values.mean(1, keepdim=True)
    return [values[:, start : start + length].square().sum().item() for start in range(signal.shape[1] - length + 1)]


@given(signals(), st.integers(1, 15))
def test_it_is_the_middle_of_zeros_or_the_stretch_with_the_most_energy(signal: torch.Tensor, length: int) -> None:
    fitted, time = fit_length(signal, length), signal.shape[1]
    assert fitted.dtype == signal.dtype
    assert fitted.shape == (signal.shape[0], length, *signal.shape[2:])
    if length >= time:
        before = (length - time) // 2
        expected = torch.zeros_like(fitted)
        expected[:, before : before + time] = signal
        assert torch.equal(fitted, expected)
    else:
        by_start = energies(signal, length)
        starts = [i for i in range(len(by_start)) if torch.equal(signal[:, i : i + length], fitted)]
        assert max(by_start[i] for i in starts) == pytest.approx(max(by_start))


def test_the_loudest_word_is_kept_whatever_the_level_that_it_rides_on() -> None:
    sound = torch.full((1, 1000), 9000, dtype=torch.int16)
    sound[0, 700:800:2] -= 5000
    sound[0, 100:200:2] += 1000
    assert torch.equal(fit_length(sound, 100), sound[:, 699:799]) or torch.equal(
        fit_length(sound, 100), sound[:, 700:800]
    )


def test_silence_gives_silence() -> None:
    assert not fit_length(torch.zeros(1, 50, dtype=torch.int16), 20).any()
