"""Clips of any light come out alike, and padding stays what it is."""

import pytest
import torch
from torch.testing import assert_close

from sigconv.errors import UsageError
from sigconv.signals.lips.normalise import ClipNorm, has_picture, mean_frame


def clips() -> torch.Tensor:
    """(3, 2, 9, 6, 8) uint8 of which frames 3 to 6 hold a picture."""
    videos = torch.zeros(3, 2, 9, 6, 8, dtype=torch.uint8)
    videos[:, :, 3:7] = torch.randint(20, 120, (3, 2, 4, 6, 8), dtype=torch.uint8)
    return videos


def test_frames_with_a_picture_have_zero_mean_and_unit_deviation_in_each_channel() -> None:
    videos = clips()
    normal, shown = ClipNorm()(videos), videos[:, :, 3:7].float()
    assert normal.dtype == torch.float32
    mean, deviation = shown.mean((2, 3, 4), keepdim=True), shown.std((2, 3, 4), correction=0, keepdim=True)
    assert_close(normal[:, :, 3:7], (shown - mean) / deviation, atol=1e-5, rtol=0)


def test_padding_stays_zero_and_does_not_count() -> None:
    videos = clips()
    normal = ClipNorm()(videos)
    assert normal[:, :, [0, 1, 2, 7, 8]].eq(0).all()
    assert_close(normal[:, :, 3:7], ClipNorm()(videos[:, :, 3:7]))


def test_light_and_camera_do_not_matter() -> None:
    videos = clips()
    brighter = videos * 2 + (videos > 0) * 10
    assert_close(ClipNorm()(brighter), ClipNorm()(videos))
    assert_close(ClipNorm()(videos[1:]), ClipNorm()(videos)[1:])  # each clip by itself


def test_clips_without_pictures_or_changes_are_zero() -> None:
    assert ClipNorm()(torch.zeros(2, 1, 3, 4, 4, dtype=torch.uint8)).eq(0).all()
    assert ClipNorm()(torch.full((2, 1, 3, 4, 4), 200, dtype=torch.uint8)).eq(0).all()


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16], ids=str)
def test_a_floating_dtype_is_kept(dtype: torch.dtype) -> None:
    assert ClipNorm()(clips().to(dtype)).dtype == dtype


def test_a_frame_has_a_picture_where_a_pixel_is_not_zero() -> None:
    videos = torch.zeros(1, 2, 4, 3, 3)
    videos[0, 1, 2, 0, 2] = -1
    assert has_picture(videos).flatten().tolist() == [False, False, True, False]
    assert torch.equal(mean_frame(videos, has_picture(videos))[:, :, 0], videos[:, :, 2])


def test_other_signals_are_refused() -> None:
    with pytest.raises(UsageError, match=r"ClipNorm takes videos .* was given \(2, 9, 6, 8\) of torch.uint8"):
        ClipNorm()(torch.zeros(2, 9, 6, 8, dtype=torch.uint8))
