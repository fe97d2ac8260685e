"""MatchboxNet: the paper's counts, and its block written out with torch's own functions."""

import pytest
import torch
from networks import field, outputs, weights
from torch.nn import functional as F

from sigconv.blocks import BatchNorm
from sigconv.nets.matchboxnet import matchboxnet

SHAPE = (1, 64, 128)


@pytest.mark.parametrize(("repeats", "count"), [(1, 77_214), (2, 92_766)])
def test_counts_of_the_paper(repeats, count):
    """77K and 93K there, for the 30 words of Speech Commands v1."""
    assert weights(matchboxnet, SHAPE, 30, repeats=repeats) == count


def test_every_layer_keeps_the_frames():
    names = ["prologue", "block1", "block3", "epilogue", "mix"]
    for padding in ("same", "causal"):
        net = matchboxnet(SHAPE, 3, width=4, padding=padding)
        assert outputs(net, torch.randn(1, *SHAPE), *names) == [(128,)] * 5


def test_kernels_are_11_then_13_15_17_then_29_dilated():
    shape = (1, 4, 151)
    net = matchboxnet(shape, 3, width=4)
    spans = [field(net, shape, name)[1] for name in ("prologue", "block1", "block2", "block3", "epilogue")]
    assert spans == [11, 23, 37, 53, 109]


def test_normalisation_is_that_of_nemo():
    net = matchboxnet(SHAPE, 3, repeats=2, width=4)
    assert {module.eps for module in net.modules() if isinstance(module, BatchNorm)} == {1e-3}


def test_block_is_that_of_the_paper():
    block = matchboxnet(SHAPE, 3, repeats=2, width=4).double().block1
    x = torch.randn(2, 128, 20, dtype=torch.float64)
    residual, y = block.layer, x
    first, last = residual.body[0].layer, residual.body[1]
    for layer in (first, last):
        weight = layer.depthwise.weight
        assert weight.shape[2] == 13
        y = F.conv1d(y, weight, padding=6, groups=len(weight))
        y = layer.pointwise.norm(F.conv1d(y, layer.pointwise.conv.weight))
        y = y.relu() if layer is first else y
    around = residual.shortcut.norm(F.conv1d(x, residual.shortcut.conv.weight))
    torch.testing.assert_close(block(x), (y + around).relu())
