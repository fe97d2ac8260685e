"""Augmentation warps as it says, from torch's generator alone; standardisation is arithmetic."""

import pytest
import torch
from torch.testing import assert_close

from sigconv.errors import UsageError
from sigconv.signals.image import Permuted, RandomWarp, Standardise, WidthNormalised
from sigconv.signals.image.warp import gaussian_smooth


def test_nothing_happens_without_limits() -> None:
    images = torch.rand(3, 1, 28, 28)
    assert_close(RandomWarp()(images), images, atol=1e-5, rtol=0)


def test_shifts_stay_within_their_limit() -> None:
    images = torch.zeros(500, 1, 21, 21)
    images[:, :, 10, 10] = 1
    warped = RandomWarp(translate=3)(images)[:, 0]
    place = torch.arange(21.0) - 10
    for shifts in (warped.sum(1) @ place, warped.sum(2) @ place):
        assert shifts.abs().max() <= 3.001
        assert shifts.max() > 2
        assert shifts.min() < -2


def test_turning_keeps_the_middle_and_moves_the_rim() -> None:
    images = torch.zeros(200, 1, 21, 21)
    images[:, :, 10, 10] = 1
    assert_close(RandomWarp(degrees=90)(images)[:, 0, 10, 10], torch.ones(200), atol=1e-4, rtol=0)
    rim = torch.zeros(200, 1, 21, 21)
    rim[:, :, 10, 18] = 1
    assert (RandomWarp(degrees=90)(rim)[:, 0, 10, 18] < 0.5).float().mean() > 0.8


def test_elastic_displacements_are_smooth_and_of_the_stated_strength() -> None:
    noise = torch.empty(64, 2, 29, 29).uniform_(-36, 36)
    field = gaussian_smooth(noise, 5.0)
    middle = field[:, :, 10:19, 10:19]
    assert 0.8 < middle.std() / (0.163 * 36 / 5) < 1.2
    assert middle.diff(dim=-1).std() < 0.3 * middle.std()


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"degrees": -1}, "degrees is -1"),
        ({"scale": 1}, "scale is 1"),
        ({"shear": 90}, "shear is 90"),
        ({"elastic_alpha": 36}, "elastic_sigma is 0"),
    ],
)
def test_wrong_limits_are_named(limits: dict, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        RandomWarp(**limits)


def test_wrong_pictures_are_named() -> None:
    with pytest.raises(UsageError, match="uint8"):
        RandomWarp()(torch.zeros(1, 1, 8, 8, dtype=torch.uint8))
    with pytest.raises(UsageError, match="channels"):
        Standardise([0.1, 0.2, 0.3], 1.0)(torch.zeros(1, 2, 8, 8))
    with pytest.raises(UsageError, match="std"):
        Standardise(0.5, 0.0)


def test_standardised_pixels() -> None:
    images = torch.tensor([0, 51, 255], dtype=torch.uint8).reshape(1, 1, 1, 3)
    found = Standardise(0.2, 0.5)(images)
    assert_close(found, torch.tensor([-0.4, 0.0, 1.6]).reshape(1, 1, 1, 3))
    assert set(Standardise(0.2, 0.5).state_dict()) == {"mean", "std"}


@pytest.mark.parametrize("size", [(7,), (4, 5), (2, 3, 4)])
def test_permuted_keeps_all_pixels_in_an_order_that_the_seed_tells(size: tuple[int, ...]) -> None:
    x = torch.randn(3, 2, *size)
    once, again, other = Permuted(seed=1)(x), Permuted(seed=1)(x), Permuted(seed=2)(x)
    assert torch.equal(once, again)
    assert not torch.equal(once, other)
    assert torch.equal(once.flatten(2).sort(2).values, x.flatten(2).sort(2).values)
    order = Permuted(seed=1)(torch.arange(x[0, 0].numel()).reshape(1, 1, *size)).flatten()
    assert torch.equal(once.flatten(2), x.flatten(2)[..., order])  # the same for each signal and channel


@pytest.mark.parametrize("width", [6, 10, 20])
def test_digits_have_the_width_that_is_wanted(width: int) -> None:
    pictures = torch.zeros(3, 1, 28, 28, dtype=torch.uint8)
    pictures[0, 0, 4:24, 3:13] = 200  # ten columns, at the left
    pictures[1, 0, 10, 14:18] = 90
    drawn = WidthNormalised(width)(pictures)
    assert drawn.shape == pictures.shape
    assert drawn.dtype == torch.float32
    for one, brightest in zip(drawn[:2, 0], (200, 90), strict=True):
        strength = one.amax(0)
        assert strength.sum().item() / brightest == pytest.approx(width, abs=0.6)
        assert torch.equal(strength, strength.flip(0)) or torch.allclose(strength, strength.flip(0), atol=0.1)
    assert (drawn[0, 0].amax(1) > 100).nonzero().flatten().tolist() == list(range(4, 24))  # the height stays
    assert not drawn[2].any()


def test_a_digit_of_the_width_stays_as_it_is() -> None:
    pictures = torch.zeros(1, 1, 28, 28)
    pictures[0, 0, 4:24, 9:19] = torch.rand(20, 10) * 200 + 55
    torch.testing.assert_close(WidthNormalised(10)(pictures), pictures, atol=0.01, rtol=1e-4)


def test_a_width_must_fit() -> None:
    with pytest.raises(UsageError, match="width is 0"):
        WidthNormalised(0)
    with pytest.raises(UsageError, match="of 30 columns or more"):
        WidthNormalised(30)(torch.zeros(1, 1, 28, 28))
