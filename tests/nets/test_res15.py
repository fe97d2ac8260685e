"""res8, res15, res26: the paper's counts and receptive field, and the program's forward pass."""

import pytest
import torch
from networks import field, outputs, weights
from torch.nn import functional as F

from sigconv.nets.res15 import VARIANTS, SpeechResNet

# The paper says 110K, 238K and 438K, and for 19 maps 19.9K, 42.6K and 78.4K.
PAPER = {"res8": (110_307, 19_905), "res15": (237_882, 42_648), "res26": (438_357, 78_387)}
SHAPE = (1, 40, 101)


@pytest.mark.parametrize("variant", VARIANTS)
def test_counts_of_the_paper(variant):
    assert tuple(weights(SpeechResNet, SHAPE, 12, variant, width) for width in (45, 19)) == PAPER[variant]


@pytest.mark.parametrize(("variant", "size"), [("res8", (13, 25)), ("res15", (40, 101)), ("res26", (20, 50))])
def test_sizes(variant, size):
    net = SpeechResNet(SHAPE, 12, variant, 2)
    last = f"convs.{VARIANTS[variant].convolutions - 1}"
    assert outputs(net, torch.randn(1, *SHAPE), "pool", last) == [size, size]


def test_res15_sees_125_by_125():
    shape = (1, 131, 131)
    assert field(SpeechResNet(shape, 12, "res15", 1), shape, "convs.12") == (125, 125)


@pytest.mark.parametrize("variant", VARIANTS)
def test_forward_pass_of_the_program(variant):
    plan = VARIANTS[variant]
    net = SpeechResNet(SHAPE, 12, variant, 3).double()
    x = torch.randn(2, *SHAPE, dtype=torch.float64)
    x0 = F.conv2d(x, net.first.weight, padding=1).relu()
    y = old = F.avg_pool2d(x0, plan.pool) if plan.pool else x0
    for i, conv in enumerate(net.convs):
        dilation = int(2 ** (i // 3)) if plan.dilated else 1
        y = F.conv2d(y, conv.weight, padding=dilation, dilation=dilation).relu()
        if i % 2 == 1:
            y = old = y + old
        y = F.batch_norm(y, None, None, training=True)
    torch.testing.assert_close(net(x), net.output(y.mean((2, 3))))
