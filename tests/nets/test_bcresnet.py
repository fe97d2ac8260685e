"""BC-ResNet: the counts of the authors' program, its sizes, and its block written out with torch's own functions."""

import pytest
import torch
from networks import outputs, weights
from torch.nn import functional as F

from sigconv.nets.bcresnet import BroadcastedBlock, bcresnet

# Counted in the program github.com/Qualcomm-AI-research/bcresnet with 12 classes.
PROGRAM = {1: 9_232, 1.5: 17_154, 2: 27_284, 3: 54_168, 6: 187_812, 8: 321_068}


@pytest.mark.parametrize("scale", PROGRAM)
def test_counts_of_the_program(scale):
    assert weights(bcresnet, (1, 40, 101), 12, scale) == PROGRAM[scale]


def test_sizes_of_the_paper():
    net = bcresnet((1, 40, 101), 12)
    names = ["head", "stage1", "stage2", "stage3", "stage4", "gather"]
    sizes = outputs(net, torch.randn(1, 1, 40, 101), *names)
    assert sizes == [(height, 101) for height in (20, 20, 10, 5, 5, 1)]


@pytest.mark.parametrize(("bands", "sub_bands", "last"), [(80, 5, 6), (64, 4, 4), (32, 4, 1), (20, 1, 1)])
def test_other_numbers_of_bands(bands, sub_bands, last):
    net = bcresnet((1, bands, 20), 12, sub_bands=sub_bands)
    assert outputs(net, torch.randn(1, 1, bands, 20), "gather") == [(last, 20)]


@pytest.mark.parametrize(("inputs", "stride"), [(6, 1), (4, 2)])
def test_block_is_that_of_the_paper(inputs, stride):
    block = BroadcastedBlock(inputs, 6, stride, dilation=4, sub_bands=2, dropout=0.1).double().eval()
    x = torch.randn(2, inputs, 8, 11, dtype=torch.float64)
    frequency, time = block.frequency, block.time
    norm = frequency.norm.norm
    torch.nn.init.uniform_(norm.weight)
    torch.nn.init.uniform_(norm.running_mean)
    y = x
    if inputs != 6:
        y = frequency.expand.norm(F.conv2d(y, frequency.expand.conv.weight)).relu()
    y = F.conv2d(y, frequency.conv.weight, stride=(stride, 1), padding=(1, 0), groups=6)
    height = y.shape[2] // 2
    for channel in range(6):
        for band in range(2):
            part, place = y[:, channel, band * height : (band + 1) * height], 2 * channel + band
            part.sub_(norm.running_mean[place]).div_((norm.running_var[place] + 1e-5).sqrt())
            part.mul_(norm.weight[place]).add_(norm.bias[place])
    z = F.conv2d(y.mean(2, keepdim=True), time.conv.conv.weight, padding=(0, 4), dilation=(1, 4), groups=6)
    z = F.conv2d(F.silu(time.conv.norm(z)), time.mix.weight)
    expected = (y + z + (x if inputs == 6 else 0)).relu()
    torch.testing.assert_close(block(x), expected)
