"""Raw samples, each recording to its own scale."""

import pytest
import torch
from torch.testing import assert_close

from sigconv.errors import UsageError
from sigconv.signals.speech.waveform import Waveform, as_waveform


def test_integers_become_fractions_of_full_scale() -> None:
    samples = torch.tensor([-(2**15), 0, 2**14], dtype=torch.int16).reshape(1, 1, 3)
    assert_close(as_waveform(samples), torch.tensor([[[-1.0, 0, 0.5]]]))
    fractions = torch.randn(1, 1, 3)
    assert as_waveform(fractions) is fractions
    assert Waveform("none")(fractions) is fractions


def test_each_recordings_peak() -> None:
    sounds = torch.tensor([[[0.1, -0.5, 0.2]], [[0.0, 0.001, 0.0]]])
    assert_close(Waveform("peak")(sounds), torch.tensor([[[0.2, -1.0, 0.4]], [[0.0, 1.0, 0.0]]]))


def test_standard_recordings_whatever_their_padding() -> None:
    sounds = torch.randn(2, 1, 4000) * torch.tensor([1e-3, 10.0]).reshape(2, 1, 1) + 0.5
    standard = Waveform("standard")(sounds)
    assert_close(standard.mean(-1), torch.zeros(2, 1), atol=1e-3, rtol=0)
    assert_close(standard.std(-1), torch.ones(2, 1), atol=1e-3, rtol=0)
    padded = Waveform("standard")(torch.nn.functional.pad(sounds, (100, 900)))
    assert_close(padded[..., 100:-900], standard, atol=1e-3, rtol=1e-3)
    assert not padded[..., :100].any()


@pytest.mark.parametrize("normalise", ["none", "peak", "standard"])
def test_silence_stays_silence(normalise: str) -> None:
    silence = torch.zeros(1, 1, 100, requires_grad=True)
    found = Waveform(normalise)(silence)
    found.sum().backward()
    assert not found.any()
    assert silence.grad is not None
    assert silence.grad.isfinite().all()


def test_mistakes_are_named() -> None:
    with pytest.raises(UsageError, match=r"'rms'.*none, peak, standard"):
        Waveform("rms")
    with pytest.raises(UsageError, match=r"\(2, 100\)"):
        Waveform()(torch.zeros(2, 100))
    with pytest.raises(UsageError, match=r"not torch\.uint8"):
        Waveform()(torch.zeros(2, 1, 100, dtype=torch.uint8))
