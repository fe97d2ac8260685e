"""Films in a report: which frames are shown, and that the heat is where the answer comes from."""

import re

import pytest
import torch
from drawn import picture
from markupsafe import Markup
from torch import Tensor, nn

from sigconv.explain import smooth_gradient
from sigconv.train.report import film, pictures
from sigconv.train.report.attention import attention_sections
from sigconv.train.report.section import evenly


@pytest.mark.parametrize(("length", "most", "shown"), [(3, 8, [0, 1, 2]), (20, 4, [2, 7, 12, 17]), (1, 4, [0])])
def test_frames_at_even_distances_are_shown(length: int, most: int, shown: list[int]) -> None:
    assert evenly(length, most) == shown


@pytest.mark.parametrize("channels", [1, 3])
def test_a_strip_has_its_frames_from_left_to_right(channels: int) -> None:
    brightness = torch.arange(16, dtype=torch.uint8) * 10
    strip = picture(film.strip(brightness[:, None, None].expand(channels, 16, 6, 32)))
    assert strip.shape == (6, 8 * 32 + 7, 4)
    assert strip[0, 16::33, 0].tolist() == [10 * (2 * i + 1) for i in range(8)]
    assert strip[0, 32::33, 3].tolist() == [0] * 7  # nothing between two frames


def test_a_kernel_over_time_is_a_strip() -> None:
    weight = torch.zeros(1, 3, 2, 2)
    weight[0, 0], weight[0, 2] = 1, -1
    red, white, blue = picture(pictures.kernel(weight, 1.0))[0, ::3].tolist()
    assert white == [255, 255, 255, 255]
    assert red[2] > red[0]
    assert blue[0] > blue[2]
    assert picture(pictures.kernel(torch.zeros(2, 2, 2, 5, 5), 1.0)).shape[1] == 8 * 5 + 7  # any number of axes


class Looks(nn.Module):
    """Answers by one place: (B, 1, T, H, W) -> (B, 2), or (B, 2, T)."""

    def __init__(self, sequence: bool) -> None:
        super().__init__()
        self.sequence = sequence

    def forward(self, x: Tensor) -> Tensor:
        there = x[:, 0, :, 2, 3]
        if not self.sequence:
            there = there[:, 5]
        return torch.stack([there, -there], 1)


@pytest.mark.parametrize("sequence", [False, True])
def test_the_heat_is_where_the_answer_comes_from(sequence: bool) -> None:
    seen = torch.rand(1, 8, 4, 6)
    strength = smooth_gradient(Looks(sequence), seen)
    assert strength.shape == (8, 4, 6)
    expected = torch.zeros(8, 4, 6)
    expected[:, 2, 3] = 1 if sequence else 0
    expected[5, 2, 3] = 1
    assert torch.equal(strength > 0, expected > 0)
    (section,) = attention_sections(nn.Identity(), Looks(sequence), [(seen, Markup("one"), "two")])
    pixels = picture(section.body)[..., :3].astype(int)
    red = pixels[..., 2] - pixels[..., 0] > 20
    frames = [bool(red[:, 7 * i : 7 * i + 6].any()) for i in range(8)]
    assert frames == [sequence or i == 5 for i in range(8)]
    heights = [1 - float(y) for y in re.findall(r"L[\d.]+ ([\d.]+)", section.body)][:-1]
    assert heights == pytest.approx([1.0 if frame else 0.0 for frame in frames], abs=0.01)
    assert attention_sections(nn.Identity(), Looks(sequence), []) == []
