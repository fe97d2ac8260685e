"""Masks of spectrograms: their sizes, their fill, their places."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sigconv.errors import UsageError
from sigconv.signals.draw import draw_masks
from sigconv.signals.speech.specaugment import SpecAugment


@settings(max_examples=20, deadline=None)
@given(shape=st.tuples(st.integers(0, 3), st.just(1), *[st.integers(0, 30)] * 2))
def test_any_shape(shape: tuple[int, ...]) -> None:
    augmented = SpecAugment(0.2, 0.3)(torch.randn(shape))
    assert augmented.shape == shape
    assert augmented.isfinite().all()


def test_nothing_happens_without_limits() -> None:
    spectrograms = torch.randn(3, 1, 40, 50)
    assert torch.equal(SpecAugment(0, 0)(spectrograms), spectrograms)
    assert torch.equal(SpecAugment(1, 1, 0, 0)(spectrograms), spectrograms)


def test_masks_have_every_width_and_place() -> None:
    masks = draw_masks(5000, 20, share=0.27, masks=1, device=torch.device("cpu"))
    widths = masks.sum(1)
    counts = torch.bincount(widths)
    assert len(counts) == 6  # 0 to 5 of 20
    assert counts.min() > 700
    edges = torch.nn.functional.pad(masks.int(), (1, 1)).diff(dim=1).abs().sum(1)
    assert (edges[widths > 0] == 2).all()  # each in one piece
    assert masks[:, 0].any()
    assert masks[:, -1].any()


def test_several_masks_join() -> None:
    one, three = (draw_masks(2000, 50, 0.2, masks, torch.device("cpu")).float().mean() for masks in (1, 3))
    assert 2 * one < three < 3 * one


def test_hidden_parts_are_the_mean_and_the_rest_is_kept() -> None:
    spectrograms = torch.randn(40, 1, 30, 60) + torch.arange(40.0).reshape(-1, 1, 1, 1)
    augmented = SpecAugment(time=0.2, frequency=0.3, time_masks=1, frequency_masks=1)(spectrograms)
    mean = spectrograms.mean((1, 2, 3), keepdim=True).expand_as(spectrograms)
    hidden = augmented != spectrograms
    assert torch.equal(augmented[hidden], mean[hidden])
    bands, frames = hidden.all(3).sum(2), hidden.all(2).sum(2)
    assert 0 < bands.max() <= 9
    assert 0 < frames.max() <= 12
    assert torch.equal(hidden, hidden.all(3)[:, :, :, None] | hidden.all(2)[:, :, None, :])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: SpecAugment(time=1.5), "time is 1.5"),
        (lambda: SpecAugment(frequency=-0.1), "frequency is -0.1"),
        (lambda: SpecAugment(time_masks=-1), "time_masks is -1"),
        (lambda: SpecAugment()(torch.zeros(2, 40, 50)), "spectrograms"),
        (lambda: SpecAugment()(torch.zeros(2, 1, 40, 50, dtype=torch.int16)), "int16"),
    ],
)
def test_wrong_arguments_are_named(make: Callable[[], object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        make()
