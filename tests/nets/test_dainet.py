"""M3 to M34-res: the paper's counts and sizes, and torchaudio's M5."""

import pytest
import torch
from networks import outputs, weights
from torch import nn

from sigconv.nets.dainet import VARIANTS, dainet
from sigconv.notation import build

# millions, in the paper; counted without biases before batch normalisation, with 10 classes
PAPER = {
    "M3": (0.2, 220_682),
    "M5": (0.5, 558_090),
    "M11": (1.8, 1_784_202),
    "M18": (3.7, 3_679_882),
    "M34-res": (4.0, 4_070_890),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_counts_of_the_paper(variant):
    millions, exact = PAPER[variant]
    assert weights(dainet, (1, 32_000), 10, variant) == exact
    assert exact / 1e6 == pytest.approx(millions, abs=0.08)


def test_m34_res_without_projections():
    projections = sum(n * 2 * n + 2 * 2 * n for n in (48, 96, 192))
    assert PAPER["M34-res"][1] - projections == 3_972_778


@pytest.mark.parametrize("variant", VARIANTS)
def test_sizes_of_the_paper(variant):
    net = dainet((1, 32_000), 10, variant, width=2)
    stages = [name for name, _ in net.named_children() if name.startswith("stage")]
    sizes = outputs(net, torch.randn(1, 1, 32_000), "first.conv", "first", *stages)
    assert sizes == [(8_000,), (2_000,), (500,), (125,), (32,), (32,)][: 2 + len(stages)]
    layers = sum(isinstance(module, nn.Linear) or type(module).__name__ == "Conv" for module in net.modules())
    projections = sum("downsample.0" in name for name, _ in net.named_modules())
    assert layers - projections == int(variant[1:].split("-")[0])  # M5 has five layers with weights


def tutorial_m5() -> nn.Sequential:
    """The network of torchaudio's tutorial "Speech command classification": stride 16, 32, 32, 64 and 64 maps."""
    layers: list[nn.Module] = []
    for inputs, maps, kernel, stride in ((1, 32, 80, 16), (32, 32, 3, 1), (32, 64, 3, 1), (64, 64, 3, 1)):
        layers += [nn.Conv1d(inputs, maps, kernel, stride), nn.BatchNorm1d(maps), nn.ReLU(), nn.MaxPool1d(4)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(64, 35))


def test_the_tutorials_m5_is_a_string():
    theirs = tutorial_m5()
    assert sum(p.numel() for p in theirs.parameters()) == 26_915
    ours = build("32C80/16-MP4-32C3-MP4-64C3-MP4-64C3-MP4-GAP-N", (1, 8_000), classes=35, norm="batch")
    assert sum(p.numel() for p in ours.parameters()) == 26_915 - (32 + 32 + 64 + 64)  # biases that the norm undoes
    for name, values in zip(
        (name for name in theirs.state_dict() if not (name.endswith("bias") and name[:-5] in ("0", "4", "8", "12"))),
        ours.state_dict().values(),
        strict=True,
    ):
        values.copy_(theirs.state_dict()[name])
    for index in (0, 4, 8, 12):
        nn.init.zeros_(theirs[index].bias)
    x = torch.randn(2, 1, 8_000)
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x))


def test_m5_is_convolutions_and_pooling_of_torch():
    net = dainet((1, 8_000), 10, "M5", width=8, padding="valid").eval()
    layers: list[nn.Module] = []
    for inputs, maps, kernel, stride in ((1, 8, 80, 4), (8, 8, 3, 1), (8, 16, 3, 1), (16, 32, 3, 1)):
        conv = nn.Conv1d(inputs, maps, kernel, stride, bias=False)
        layers += [conv, nn.BatchNorm1d(maps), nn.ReLU(), nn.MaxPool1d(4)]
    torchs = nn.Sequential(*layers, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(32, 10)).eval()
    for mine, value in zip(torchs.state_dict().values(), net.state_dict().values(), strict=True):
        mine.copy_(value)
    x = torch.randn(2, 1, 8_000)
    torch.testing.assert_close(net(x), torchs(x))
