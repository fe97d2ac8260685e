"""R(2+1)D: torchvision's count, names and sizes, and its block written out with torch's own functions."""

import torch
from networks import outputs, weights
from torch.nn import functional as F

from sigconv.nets.r2plus1d import FactorisedBlock, r2plus1d


def test_count_and_names_of_torchvisions_r2plus1d_18():
    assert weights(r2plus1d, (3, 16, 112, 112), 400) == 31_505_325
    names = list(r2plus1d((1, 4, 8, 8), 3, width=4).state_dict())
    for name in (
        "stem.0.weight",
        "stem.3.weight",
        "stem.4.running_mean",
        "layer1.0.conv1.0.0.weight",
        "layer1.0.conv1.0.1.running_var",
        "layer2.0.conv1.1.weight",
        "layer3.1.conv2.0.3.weight",
        "layer4.0.downsample.1.bias",
        "fc.weight",
    ):
        assert name in names


def test_sizes_of_torchvision_with_its_stride():
    net = r2plus1d((3, 16, 112, 112), 5, width=2, stride=2)
    sizes = outputs(net, torch.randn(1, 3, 16, 112, 112), "stem", "layer1", "layer2", "layer3", "layer4")
    assert sizes == [(16, 56, 56), (16, 56, 56), (8, 28, 28), (4, 14, 14), (2, 7, 7)]


def test_all_frames_are_kept_by_default():
    net = r2plus1d((1, 5, 16, 24), 5, width=2)
    assert outputs(net, torch.randn(1, 1, 5, 16, 24), "layer4", "avgpool") == [(5, 1, 2), (5,)]


def test_block_is_that_of_torchvision():
    block = FactorisedBlock(4, 6, 2).double()
    assert block.conv1[0][0].out_channels == block.conv2[0][0].out_channels == (4 * 6 * 27) // (4 * 9 + 3 * 6)
    x = torch.randn(2, 4, 5, 8, 8, dtype=torch.float64)
    y = x
    for (over_space, norm, _, over_time), stride in ((block.conv1[0], 2), (block.conv2[0], 1)):
        y = norm(F.conv3d(y, over_space.weight, stride=(1, stride, stride), padding=(0, 1, 1))).relu()
        y = F.conv3d(y, over_time.weight, stride=(stride, 1, 1), padding=(1, 0, 0))
        y = block.conv1[1](y).relu() if stride == 2 else block.conv2[1](y)
    around = block.downsample[1](F.conv3d(x, block.downsample[0].weight, stride=2))
    torch.testing.assert_close(block(x), (y + around).relu())
