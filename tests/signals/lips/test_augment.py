"""Augmentation of videos: what each does to a clip, the same for all its frames, and to the padding around it."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from sigconv.errors import UsageError
from sigconv.signals.lips.augment import Brightness, Flip, Speed, TimeMask, TimeShift, VideoAugmentation
from sigconv.signals.lips.normalise import has_picture

AUGMENTATIONS: dict[str, Callable[[], VideoAugmentation]] = {
    "flip": lambda: Flip(0.5),
    "brightness": lambda: Brightness(0.3, 0.2),
    "mask": lambda: TimeMask(0.4, 2),
    "speed": lambda: Speed(0.3),
    "shift": lambda: TimeShift(3),
}


@pytest.fixture(params=AUGMENTATIONS)
def augmentation(request: pytest.FixtureRequest) -> VideoAugmentation:
    return AUGMENTATIONS[request.param]()


def ramp(count: int, frames: int) -> Tensor:
    """(count, 1, frames, 1, 1): the value of each frame is its number, from 1."""
    return torch.arange(1.0, frames + 1).reshape(1, 1, -1, 1, 1).expand(count, -1, -1, -1, -1)


def test_padding_stays_padding(augmentation: VideoAugmentation) -> None:
    videos = torch.zeros(50, 2, 20, 4, 6)
    videos[:, :, 8:12] = torch.randn(50, 2, 4, 4, 6) + 3
    augmented = augmentation(videos)
    shown = has_picture(augmented).flatten(1)
    assert shown.any(1).all()
    assert not shown[:, :4].any()
    assert not shown[:, 16:].any()


def test_nothing_happens_without_limits() -> None:
    videos = torch.randn(3, 1, 7, 4, 6)
    for augment in (Flip(0), Brightness(0, 0), TimeMask(0), Speed(0), TimeShift(0)):
        assert_close(augment(videos), videos)


def test_flipped_clips_are_mirrored_whole() -> None:
    videos = torch.randn(40, 1, 5, 4, 6)
    flipped = Flip(0.3)(videos)
    mirrored = (flipped == videos.flip(-1)).flatten(1).all(1)
    assert torch.equal(mirrored, ~(flipped == videos).flatten(1).all(1))
    assert 3 < mirrored.sum() < 25


def test_light_is_a_factor_and_a_number_within_their_limits() -> None:
    videos = torch.zeros(500, 1, 3, 1, 2)
    videos[..., 0], videos[..., 1] = -1, 1
    low, high = Brightness(0.3, 0.2)(videos).unbind(-1)
    assert_close(low, low[:, :, :1].expand_as(low))  # the same for all frames
    factor, more = (high - low).flatten() / 2, (high + low).flatten() / 2
    assert 0.8 <= factor.min() < 0.82
    assert 1.18 < factor.max() <= 1.2
    assert -0.3 <= more.min() < -0.28
    assert 0.28 < more.max() <= 0.3
    factor, more = (all_frames.unflatten(0, (500, 3))[:, 0] for all_frames in (factor, more))
    assert torch.corrcoef(torch.stack([factor, more]))[0, 1].abs() < 0.2  # drawn independently


def test_masked_frames_are_the_mean_of_those_with_a_picture() -> None:
    videos = torch.zeros(300, 1, 20, 3, 4)
    videos[:, :, 5:15] = torch.randn(300, 1, 10, 3, 4)
    masked = TimeMask(0.2, 1)(videos)
    hidden = (masked != videos).flatten(3).any(3).squeeze(1)
    mean = videos[:, :, 5:15].mean(2, keepdim=True)
    assert_close(masked, torch.where(hidden[:, None, :, None, None], mean, videos))
    assert hidden.sum(1).max() == 4
    assert hidden.sum(1).min() == 0
    assert hidden.diff(dim=1).sum(1).max() <= 2  # one stretch


def test_speed_stretches_time_about_the_middle() -> None:
    videos = ramp(300, 21)
    played = Speed(0.25)(videos).flatten(1)
    assert_close(played[:, 10], torch.full((300,), 11.0))
    steps = played[:, 10:14].diff(dim=1)
    assert_close(steps, steps[:, :1].expand(-1, 3), atol=1e-4, rtol=0)
    assert 0.8 <= steps.min() < 0.82
    assert 1.22 < steps.max() <= 1.2501
    assert played.min() == 1  # the first frame repeats
    assert played.max() == 21


def test_shifts_are_whole_frames_and_the_edge_repeats() -> None:
    shifted = TimeShift(2)(ramp(300, 9)).flatten(1)
    expected = {tuple(float(min(max(i - shift, 1), 9)) for i in range(1, 10)) for shift in range(-2, 3)}
    assert {tuple(row) for row in shifted.tolist()} == expected


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Brightness(brightness=-1), "brightness is -1"),
        (lambda: Brightness(contrast=1), "contrast is 1"),
        (lambda: TimeMask(share=2), "TimeMask: share is 2"),
        (lambda: TimeMask(masks=0), "masks is 0"),
        (lambda: Speed(-0.1), "limit is -0.1"),
        (lambda: TimeShift(-1), "frames is -1"),
        (lambda: Flip()(torch.zeros(2, 7, 4, 6)), "Flip takes floating point videos"),
        (lambda: Flip()(torch.zeros(2, 1, 7, 4, 6, dtype=torch.uint8)), "uint8"),
    ],
)
def test_wrong_arguments_are_named(make: Callable[[], object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        make()
