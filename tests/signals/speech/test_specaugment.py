"""Masks and warps of spectrograms: their sizes, their fill, their places."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

from sigconv.errors import UsageError
from sigconv.signals.draw import draw_masks, interpolation
from sigconv.signals.speech.mel import from_mel, to_mel
from sigconv.signals.speech.specaugment import SpecAugment, SpectrogramAugmentation, VocalTractWarp

AUGMENTATIONS: list[Callable[[], SpectrogramAugmentation]] = [
    lambda: SpecAugment(0.2, 0.3),
    lambda: VocalTractWarp(8000, 0.2),
]


@pytest.fixture(params=AUGMENTATIONS, ids=["masks", "warp"])
def augmentation(request: pytest.FixtureRequest) -> SpectrogramAugmentation:
    return request.param()


def test_spectrograms_pass_in_evaluation(augmentation: SpectrogramAugmentation) -> None:
    spectrograms = torch.randn(3, 1, 40, 50)
    assert augmentation.eval()(spectrograms) is spectrograms


def test_the_seed_alone_reproduces_a_batch(augmentation: SpectrogramAugmentation) -> None:
    spectrograms = torch.randn(1, 1, 40, 50).expand(4, -1, -1, -1)
    torch.manual_seed(1)
    first = augmentation(spectrograms)
    torch.manual_seed(1)
    assert torch.equal(augmentation(spectrograms), first)
    assert not torch.equal(augmentation(spectrograms), first)
    assert not torch.allclose(first[0], first[1])


@settings(max_examples=20, deadline=None)
@given(kind=st.sampled_from(AUGMENTATIONS), shape=st.tuples(st.integers(0, 3), st.just(1), *[st.integers(0, 30)] * 2))
def test_any_shape(kind: Callable[[], SpectrogramAugmentation], shape: tuple[int, ...]) -> None:
    augmented = kind()(torch.randn(shape))
    assert augmented.shape == shape
    assert augmented.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16], ids=str)
def test_the_dtype_is_kept(augmentation: SpectrogramAugmentation, dtype: torch.dtype) -> None:
    assert augmentation(torch.randn(2, 1, 20, 30).to(dtype)).dtype == dtype


def test_autocast_costs_no_precision(augmentation: SpectrogramAugmentation) -> None:
    spectrograms = torch.randn(3, 1, 40, 50)
    torch.manual_seed(1)
    precise = augmentation(spectrograms)
    torch.manual_seed(1)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(augmentation(spectrograms), precise)


def test_nothing_happens_without_limits() -> None:
    spectrograms = torch.randn(3, 1, 40, 50)
    assert torch.equal(SpecAugment(0, 0)(spectrograms), spectrograms)
    assert torch.equal(SpecAugment(1, 1, 0, 0)(spectrograms), spectrograms)
    assert torch.equal(VocalTractWarp(8000, 0)(spectrograms), spectrograms)


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


def bump(hz: float, warp: VocalTractWarp, bands: int) -> Tensor:
    """A spectrogram with a smooth peak about a frequency."""
    return torch.exp(-((torch.arange(bands) - band_of(hz, warp, bands)) ** 2) / 8)[None, None, :, None].expand(
        1, 1, -1, 3
    )


def band_of(hz: float, warp: VocalTractWarp, bands: int) -> float:
    low, high, place = to_mel(torch.tensor([warp.low, warp.high, hz]), warp.scale).tolist()
    return (place - low) / (high - low) * (bands + 1) - 1


@pytest.mark.parametrize("scale", ["slaney", "htk"])
@pytest.mark.parametrize("factor", [0.8, 1.0, 1.2])
def test_a_peak_moves_to_the_frequency_times_the_factor(scale: str, factor: float) -> None:
    bands = 64
    warp = VocalTractWarp(16000, 0.2, low=60, high=7600, scale=scale)
    for hz in (700.0, 1500.0, 3000.0):
        weights = interpolation(warp.source(torch.tensor([[[factor]]]), bands), bands)
        assert_close(weights.sum(-1), torch.ones(1, bands))
        warped = (weights @ bump(hz, warp, bands)[:, 0])[0, :, 0]
        middle = (warped**4 * torch.arange(bands)).sum() / (warped**4).sum()
        assert middle == pytest.approx(band_of(hz * factor, warp, bands), abs=0.35)


def test_warps_stay_within_their_limit() -> None:
    bands = 64
    warp = VocalTractWarp(16000, 0.1)
    warped = warp(bump(1000, warp, bands).expand(300, -1, -1, -1))[:, 0, :, 0]
    place = (warped**4 * torch.arange(bands)).sum(-1) / (warped**4).sum(-1)
    first, last = to_mel(torch.tensor([warp.low, warp.high]), warp.scale).tolist()
    hz = from_mel(first + (place + 1) * (last - first) / (bands + 1), warp.scale)
    assert 880 < hz.min() < 930
    assert 1070 < hz.max() < 1120


def test_a_flat_spectrogram_stays_flat() -> None:
    assert_close(VocalTractWarp(8000, 0.2)(torch.full((5, 1, 40, 7), 3.0)), torch.full((5, 1, 40, 7), 3.0))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: SpecAugment(time=1.5), "time is 1.5"),
        (lambda: SpecAugment(frequency=-0.1), "frequency is -0.1"),
        (lambda: SpecAugment(time_masks=-1), "time_masks is -1"),
        (lambda: VocalTractWarp(8000, 1), "limit is 1"),
        (lambda: VocalTractWarp(8000, 0.1, high=5000), "5000"),
        (lambda: VocalTractWarp(8000, 0.1, scale="bark"), "bark"),
        (lambda: SpecAugment()(torch.zeros(2, 40, 50)), "spectrograms"),
        (lambda: SpecAugment()(torch.zeros(2, 1, 40, 50, dtype=torch.int16)), "int16"),
    ],
)
def test_wrong_arguments_are_named(make: Callable[[], object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        make()
