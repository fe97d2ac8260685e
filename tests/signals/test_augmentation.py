"""What all augmentation has in common: only in training, from the seed alone, each example by itself, in precision."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from sigconv.errors import UsageError
from sigconv.signals.augmentation import Augmentation
from sigconv.signals.image import RandomWarp
from sigconv.signals.lips import augment as lips
from sigconv.signals.speech import augment as speech
from sigconv.signals.speech import voice
from sigconv.signals.speech.specaugment import SpecAugment

RATE = 8000
WAVEFORM, SPECTROGRAM, PICTURE, VIDEO = (1, 2000), (1, 40, 50), (2, 28, 20), (2, 12, 4, 6)
AUGMENTATIONS: dict[str, tuple[Callable[[], Augmentation], tuple[int, ...]]] = {
    "time shift": (lambda: speech.TimeShift(RATE, 0.1), WAVEFORM),
    "gain": (lambda: speech.Gain(6), WAVEFORM),
    "equaliser": (lambda: speech.Equalise(12), WAVEFORM),
    "noise": (lambda: speech.AddNoise(RATE), WAVEFORM),
    "room": (lambda: speech.Room(RATE), WAVEFORM),
    "speed": (lambda: voice.Speed(0.2), WAVEFORM),
    "vocal tract": (lambda: voice.VocalTract(RATE, 0.25), WAVEFORM),
    "masks": (lambda: SpecAugment(0.2, 0.3), SPECTROGRAM),
    "affine": (lambda: RandomWarp(10, 2, 0.1, 5), PICTURE),
    "elastic": (lambda: RandomWarp(elastic_alpha=30, elastic_sigma=5), PICTURE),
    "warped video": (lambda: RandomWarp(10), VIDEO),
    "flip": (lambda: lips.Flip(0.5), VIDEO),
    "brightness": (lambda: lips.Brightness(0.3, 0.2), VIDEO),
    "time mask": (lambda: lips.TimeMask(0.4, 2), VIDEO),
    "video speed": (lambda: lips.Speed(0.3), VIDEO),
    "video shift": (lambda: lips.TimeShift(3), VIDEO),
}


@pytest.fixture(params=AUGMENTATIONS)
def case(request: pytest.FixtureRequest) -> tuple[Augmentation, tuple[int, ...]]:
    make, shape = AUGMENTATIONS[request.param]
    return make(), shape


def seeded(augmentation: Augmentation, examples: Tensor) -> Tensor:
    torch.manual_seed(1)
    return augmentation(examples)


def test_examples_pass_in_evaluation(case: tuple[Augmentation, tuple[int, ...]]) -> None:
    augmentation, shape = case
    examples = torch.randn(3, *shape)
    assert augmentation.eval()(examples) is examples


def test_the_seed_alone_reproduces_a_batch(case: tuple[Augmentation, tuple[int, ...]]) -> None:
    augmentation, shape = case
    examples = torch.randn(8, *shape)
    first = seeded(augmentation, examples)
    assert first.shape == examples.shape
    assert not torch.equal(first, examples)
    assert not torch.equal(augmentation(examples), first)
    assert torch.equal(seeded(augmentation, examples), first)


def test_each_example_is_augmented_by_itself(case: tuple[Augmentation, tuple[int, ...]]) -> None:
    augmentation, shape = case
    augmented = seeded(augmentation, torch.randn(1, *shape).expand(8, *shape))
    assert len(torch.unique(augmented, dim=0)) > 1


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
def test_the_dtype_is_kept_and_autocast_costs_no_precision(
    case: tuple[Augmentation, tuple[int, ...]], dtype: torch.dtype
) -> None:
    augmentation, shape = case
    examples = torch.randn(4, *shape).to(dtype)
    assert augmentation(examples[:0]).shape == (0, *shape)
    precise = seeded(augmentation, examples)
    assert precise.dtype == dtype
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(seeded(augmentation, examples), precise)


@pytest.mark.parametrize("kind", [speech.AddNoise, speech.Room, voice.VocalTract, lips.Flip])
def test_only_a_share_is_augmented(kind: Callable[..., Augmentation]) -> None:
    examples = torch.randn(400, 1, 1, 1, 20) if kind is lips.Flip else torch.randn(400, 1, 200)
    options = {} if kind is lips.Flip else {"rate": RATE}
    options |= {"limit": 0.2} if kind is voice.VocalTract else {}
    touched = (kind(probability=0.3, **options)(examples) != examples).flatten(1).any(1).sum()
    assert 80 < touched < 160
    assert kind(probability=0, **options)(examples) is examples


def test_the_representation_tells_all_settings() -> None:
    assert "probability=0.5, rate=8000.0, snr=(5.0, 30.0)" in repr(speech.AddNoise(RATE, probability=0.5))
    assert repr(lips.TimeMask(0.2, 3)) == "TimeMask(probability=1.0, share=0.2, masks=3)"


def test_a_share_beyond_all_is_named() -> None:
    with pytest.raises(UsageError, match="Equalise: probability is 2"):
        speech.Equalise(3, probability=2)
    with pytest.raises(UsageError, match=r"Flip: probability is 1\.5"):
        lips.Flip(1.5)
