"""Training steps of whole networks, small enough for a CPU.

There is no dropout, so that all contestants compute the same. Inputs have as many axes as are convolved over, and
windows are such that torch.nn pads by itself, so that its side does no more work than its users would have it do.
"""

from collections.abc import Callable

from torch import nn

from sigconv.bench.case import Case, Suite
from sigconv.blocks import GlobalAvgPool, chain
from sigconv.nets.bcresnet import bcresnet
from sigconv.nets.dainet import dainet
from sigconv.nets.lipnet import lipnet
from sigconv.nets.matchboxnet import matchboxnet
from sigconv.nets.resnet import ResNet
from sigconv.nets.xvector import xvector
from sigconv.notation import build
from sigconv.window import Sizes

MNIST_CNN = "1x28x28-16C5-MP2-32C5-MP2-128N-10N"  # conf/model/cnn.yaml
LIPS_CNN = "16C3x5x5/1x2x2-MP1x2x2-32C3-MP2-64C3-MP1x2x2-128C3-MP2x2x4-51N"  # conf/model/lips_cnn.yaml


def _lipnet_front() -> nn.Module:
    """LipNet's three convolutions, with the mean of each map instead of recurrent layers."""
    net = lipnet("3x20x40x64", 51, width=16, dropout=0.0)
    convolutions = {name: net.get_submodule(name) for name in ("conv1", "conv2", "conv3")}
    return chain(**convolutions, pool=GlobalAvgPool(), output=nn.Linear(48, 51))


def _net(name: str, kind: str, shape: Sizes, classes: int, make: Callable[[], nn.Module]) -> Case:
    return Case(name, kind, make, shape, first=True, classes=classes)


NETS = Suite(
    "nets",
    (
        _net("M5, width 32", "1-D", (32, 1, 8000), 35, lambda: dainet("1x8000", 35, width=32, padding="valid")),
        _net("x-vector TDNN", "1-D", (32, 40, 200), 35, lambda: xvector("40x200", 35)),
        _net("MatchboxNet 3x1x64", "1-D", (32, 64, 100), 35, lambda: matchboxnet("64x100", 35)),
        _net("MNIST CNN", "2-D", (128, 1, 28, 28), 10, lambda: build(MNIST_CNN, norm="batch")),
        _net("BC-ResNet-2", "2-D", (16, 1, 40, 100), 12, lambda: bcresnet("1x40x100", 12, scale=2, dropout=0.0)),
        _net("ResNet-18, width 16", "2-D", (16, 3, 64, 64), 10, lambda: ResNet("3x64x64", 10, width=16)),
        _net("LipNet's convolutions, width 16", "3-D", (4, 3, 20, 40, 64), 51, _lipnet_front),
        _net(
            "lip CNN",
            "3-D",
            (8, 1, 20, 40, 64),
            51,
            lambda: build(LIPS_CNN, "1x20x40x64", norm="batch", padding="same"),
        ),
    ),
    seconds=8,
)
