"""Normalised features have zero mean and unit deviation; neither padding nor silence spoils that."""

import pytest
import torch
from torch.testing import assert_close

from sigconv.errors import UsageError
from sigconv.signals.speech.normalise import CorpusNorm, PeakNorm, UtteranceNorm, sounding
from sigconv.signals.speech.spectrum import PCEN, LogMel


def words() -> torch.Tensor:
    """Noise that rises and falls by 60 dB, ten times a second."""
    torch.manual_seed(0)
    return torch.randn(2, 1, 8000) * 10 ** (-1.5 * (1 - torch.cos(torch.arange(8000) * (20 * torch.pi / 8000))))


EVERY = ["all", "bands", "means"]


@pytest.mark.parametrize(
    ("over", "means", "deviations"), [("bands", (-1,), (-1,)), ("all", (-2, -1), (-2, -1)), ("means", (-1,), (-2, -1))]
)
def test_each_recording_by_itself(over: str, means: tuple[int, ...], deviations: tuple[int, ...]) -> None:
    features = torch.randn(3, 1, 5, 200) * 7 + torch.arange(3.0).reshape(3, 1, 1, 1)
    normal = UtteranceNorm(over)(features)
    mean, std = normal.mean(means), normal.std(deviations, correction=0)
    assert_close(mean, torch.zeros_like(mean), atol=1e-4, rtol=0)
    assert_close(std, torch.ones_like(std), atol=5e-3, rtol=0)


def test_over_all_keeps_the_shape_of_the_spectrum() -> None:
    features = torch.randn(1, 1, 5, 50) + torch.arange(5.0).reshape(5, 1)
    normal = UtteranceNorm("all")(features)
    assert_close(normal.diff(dim=2), features.diff(dim=2) / features.std(correction=0), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("over", EVERY)
def test_constant_features_become_zero(over: str) -> None:
    assert UtteranceNorm(over)(torch.full((2, 1, 4, 9), -70.7)).abs().amax() < 0.01
    assert UtteranceNorm(over)(torch.randn(2, 1, 4, 1)).isfinite().all()


@pytest.mark.parametrize("over", EVERY)
def test_padding_does_not_count(over: str) -> None:
    normalised = UtteranceNorm(over)(LogMel(8000)(words()))
    padded = UtteranceNorm(over)(LogMel(8000)(torch.nn.functional.pad(words(), (8000, 0))))
    assert_close(padded[..., -normalised.shape[-1] :], normalised, rtol=0, atol=0.1)
    assert (padded[..., :90].amax((2, 3)) < -1).all()


def test_digital_silence_does_not_count_in_pcen() -> None:
    features = PCEN(8000)(torch.nn.functional.pad(words(), (8000, 0)))
    assert not sounding(features)[..., :90].any()
    assert sounding(features)[..., 110:].all()


def test_sounding_frames() -> None:
    features = LogMel(8000)(torch.cat([torch.zeros(1, 1, 800), torch.randn(1, 1, 800), torch.zeros(1, 1, 800)], -1))
    # Windows of 25 ms reach 12.5 ms to either side: the frame just before the sound has some of it, the next has not.
    assert sounding(features)[0, 0, 0].nonzero().flatten().tolist() == list(range(9, 22))


def test_a_band_that_hardly_changes_is_not_blown_up_by_means() -> None:
    features = 20 * torch.randn(1, 1, 4, 100)
    features[:, :, 0] *= 1e-3
    assert UtteranceNorm("means")(features)[:, :, 0].abs().amax() < 0.01
    assert UtteranceNorm("bands")(features)[:, :, 0].abs().amax() > 1


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16], ids=str)
def test_the_dtype_is_kept(dtype: torch.dtype) -> None:
    assert UtteranceNorm()(torch.randn(2, 1, 4, 9).to(dtype)).dtype == dtype
    assert CorpusNorm(4)(torch.randn(2, 1, 4, 9).to(dtype)).dtype == dtype


def test_gradients() -> None:
    features = torch.randn(2, 1, 3, 5, dtype=torch.float64, requires_grad=True)
    for over in EVERY:
        assert torch.autograd.gradcheck(UtteranceNorm(over), features)


def test_the_corpus_has_zero_mean_and_unit_deviation_in_each_band(device: str) -> None:
    scale, offset = torch.tensor([1.0, 10, 0.1]).reshape(3, 1), torch.tensor([0.0, -1000, 5]).reshape(3, 1)
    batches = [(torch.randn(n, 1, 3, frames) * scale + offset).to(device) for n, frames in ((4, 30), (1, 7), (3, 90))]
    norm = CorpusNorm(3).to(device)
    norm.fit(iter(batches))
    features = torch.cat([norm(batch).movedim(2, 0).flatten(1) for batch in batches], 1)
    assert_close(features.mean(1), torch.zeros(3, device=device), atol=1e-3, rtol=0)
    assert_close(features.std(1), torch.ones(3, device=device), atol=1e-2, rtol=0)
    assert set(norm.state_dict()) == {"mean", "std"}


def test_padding_does_not_count_in_the_corpus() -> None:
    sounds, features = [words(), words()[..., 2000:]], LogMel(8000)
    bare, padded = CorpusNorm(40), CorpusNorm(40)
    bare.fit(features(sound) for sound in sounds)
    padded.fit(features(torch.nn.functional.pad(sound, (0, 8000))) for sound in sounds)
    assert ((padded.mean - bare.mean) / bare.std).abs().amax() < 0.1
    assert_close(padded.std, bare.std, rtol=0.1, atol=0)


def test_a_band_without_change_is_only_centred() -> None:
    features = torch.randn(4, 1, 2, 20)
    features[:, :, 1] = -80
    norm = CorpusNorm(2)
    norm.fit([features])
    assert_close(norm(features)[:, :, 1], torch.zeros(4, 1, 20))
    assert norm.std[1] == 1


@pytest.mark.parametrize(
    ("batches", "words"),
    [
        ([], "nothing to fit to"),
        ([torch.zeros(2, 1, 3, 9)], "none but silence"),
        ([torch.full((1, 1, 3, 3), float("nan"))], "not finite"),
        ([torch.randn(2, 1, 4, 9)], "made for 3 bands"),
    ],
)
def test_a_corpus_that_cannot_be_fitted_changes_nothing(batches: list, words: str) -> None:
    norm = CorpusNorm(3)
    with pytest.raises(UsageError, match=words):
        norm.fit(batches)
    assert not norm.mean.any()
    assert (norm.std == 1).all()


def test_mistakes_are_named() -> None:
    with pytest.raises(UsageError, match=r"'time'.*all, bands, means"):
        UtteranceNorm("time")
    with pytest.raises(UsageError, match="batch, channels, bands, frames"):
        UtteranceNorm()(torch.randn(2, 4, 9))
    with pytest.raises(UsageError, match="have 4"):
        CorpusNorm(3)(torch.randn(2, 1, 4, 9))


def test_the_peak_and_all_that_is_too_far_below_it_have_fixed_values() -> None:
    levels = torch.tensor([[-10.0, -30.0], [-50.0, -90.0]]).expand(1, 1, 2, 2)
    assert_close(PeakNorm(40)(levels).flatten(), torch.tensor([2.0, 0.0, -2.0, -2.0]))
    assert_close(PeakNorm(40)(levels - 17), PeakNorm(40)(levels))


def test_a_range_is_positive() -> None:
    with pytest.raises(UsageError, match="range_db"):
        PeakNorm(0)
