"""ResNet: torchvision's counts and names, the sizes of the paper, any number of axes."""

import pytest
import torch
from networks import outputs, weights
from torch.nn import functional as F

from sigconv.blocks import SqueezeExcitation
from sigconv.nets.resnet import BasicBlock, Bottleneck, PreActivation, ResNet

PICTURE = (3, 224, 224)


@pytest.mark.parametrize(
    ("blocks", "block", "count"),
    [
        ((2, 2, 2, 2), "basic", 11_689_512),  # torchvision's resnet18
        ((3, 4, 6, 3), "basic", 21_797_672),  # resnet34
        ((3, 4, 6, 3), "bottleneck", 25_557_032),  # resnet50
        ((3, 4, 23, 3), "bottleneck", 44_549_160),  # resnet101
    ],
)
def test_counts_of_torchvision(blocks, block, count):
    assert weights(ResNet, PICTURE, 1000, blocks, block=block) == count


def test_count_of_the_papers_resnet20():
    """The paper's 0.27M have no projections (its option A, zeros); ours take 2,752 more."""
    projections = 16 * 32 + 2 * 32 + 32 * 64 + 2 * 64
    assert weights(ResNet, (3, 32, 32), 10, (3, 3, 3), 16, small=True) == 269_722 + projections


def test_names_of_torchvision():
    names = list(ResNet((3, 32, 32), 10, width=4).state_dict())
    assert names[:3] == ["conv1.weight", "bn1.weight", "bn1.bias"]
    assert names[-2:] == ["fc.weight", "fc.bias"]
    for name in ("layer1.0.conv2.weight", "layer2.0.downsample.0.weight", "layer4.1.bn2.running_var"):
        assert name in names
    assert "layer1.0.downsample.0.weight" not in names
    assert "layer1.0.conv3.weight" in ResNet((3, 32, 32), 10, width=4, block="bottleneck").state_dict()


def test_sizes_of_the_paper():
    names = ["conv1", "maxpool", "layer1", "layer2", "layer3", "layer4"]
    sizes = outputs(ResNet(PICTURE, 10, width=1), torch.randn(1, *PICTURE), *names)
    assert sizes == [(n, n) for n in (112, 56, 56, 28, 14, 7)]
    small = outputs(ResNet((3, 32, 32), 10, (1, 1, 1), 1, small=True), torch.randn(1, 3, 32, 32), *names[:-1])
    assert small == [(n, n) for n in (32, 32, 32, 16, 8)]


def test_a_stride_for_each_axis_keeps_the_frames_of_a_video():
    net = ResNet((1, 5, 32, 32), 4, width=1, stride=(1, 2, 2))
    assert outputs(net, torch.randn(1, 1, 5, 32, 32), "layer4") == [(5, 1, 1)]


def test_three_axes_with_one_sample_along_one_are_two():
    """The middle of a kernel with three axes is all that sees a single frame."""
    flat, deep = ResNet((1, 16, 16), 3, (1, 1), 4).double(), ResNet((1, 1, 16, 16), 3, (1, 1), 4).double()
    for two, three in zip(flat.state_dict().values(), deep.state_dict().values(), strict=True):
        three.copy_(two if two.ndim != 4 else F.pad(two.unsqueeze(2), (0, 0, 0, 0, *[three.shape[2] // 2] * 2)))
    x = torch.randn(2, 1, 16, 16, dtype=torch.float64)
    torch.testing.assert_close(deep(x.unsqueeze(2)), flat(x))


def test_basic_block_is_that_of_the_paper():
    block = BasicBlock(3, 4, 2, ndim=2).double()
    x = torch.randn(2, 3, 8, 8, dtype=torch.float64)
    y = block.bn1(F.conv2d(x, block.conv1.weight, stride=2, padding=1)).relu()
    y = block.bn2(F.conv2d(y, block.conv2.weight, padding=1))
    around = block.downsample[1](F.conv2d(x, block.downsample[0].weight, stride=2))
    torch.testing.assert_close(block(x), (y + around).relu())


def test_bottleneck_is_that_of_torchvision():
    block = Bottleneck(8, 2, ndim=1).double()
    x = torch.randn(2, 8, 9, dtype=torch.float64)
    y = block.bn1(F.conv1d(x, block.conv1.weight)).relu()
    y = block.bn2(F.conv1d(y, block.conv2.weight, padding=1)).relu()
    y = block.bn3(F.conv1d(y, block.conv3.weight))
    torch.testing.assert_close(block(x), (y + x).relu())


def test_preactivation_leads_the_signal_through_unchanged():
    block = PreActivation(4, 4, ndim=1).double()
    x = torch.randn(2, 4, 9, dtype=torch.float64)
    y = F.conv1d(block.bn1(x).relu(), block.conv1.weight, padding=1)
    y = F.conv1d(block.bn2(y).relu(), block.conv2.weight, padding=1)
    torch.testing.assert_close(block(x), x + y)


def test_preactivation_normalises_behind_all_blocks():
    net = ResNet((3, 32, 32), 10, (1, 1), 4, small=True, block="preactivation")
    assert [name for name, _ in net.named_children()][-5:] == ["layer2", "bn1", "relu", "avgpool", "fc"]
    assert net.bn1.num_features == 8


def test_count_of_the_papers_se_resnet50():
    assert weights(ResNet, PICTURE, 1000, (3, 4, 6, 3), block="bottleneck", squeeze=16) == 28_088_024


def test_squeeze_and_excitation_weighs_maps_by_their_means():
    se, x = SqueezeExcitation(6, 2, ndim=3).double(), torch.randn(2, 6, 3, 4, 5, dtype=torch.float64)
    hidden = F.linear(x.mean((2, 3, 4)), se.fc1.weight.flatten(1), se.fc1.bias).relu()
    shares = F.linear(hidden, se.fc2.weight.flatten(1), se.fc2.bias).sigmoid()
    torch.testing.assert_close(se(x), x * shares[:, :, None, None, None])
