"""Where torchvision has a network of ours: its names and shapes, and with its weights its outputs."""

import pytest
import torch
from networks import settled

from sigconv.blocks import SqueezeExcitation
from sigconv.nets.alexnet import alexnet
from sigconv.nets.googlenet import googlenet
from sigconv.nets.resnet import ResNet

models = pytest.importorskip("torchvision.models")
ops = pytest.importorskip("torchvision.ops")

PICTURE = "3x64x64"
PAIRS = {
    "alexnet": (lambda: models.alexnet(num_classes=7), lambda: alexnet(PICTURE, 7)),
    "googlenet": (
        lambda: models.googlenet(num_classes=7, aux_logits=False, init_weights=False),
        lambda: googlenet(PICTURE, 7, wide_kernel=3),
    ),
    "resnet18": (lambda: models.resnet18(num_classes=7), lambda: ResNet(PICTURE, 7)),
    "resnet50": (
        lambda: models.resnet50(num_classes=7),
        lambda: ResNet(PICTURE, 7, (3, 4, 6, 3), block="bottleneck"),
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_weights_load_either_way_and_outputs_are_equal(name):
    make_theirs, make_ours = PAIRS[name]
    with torch.device("meta"):
        theirs = make_theirs()
    ours = make_ours().double()
    shapes = [[(key, tuple(t.shape)) for key, t in net.state_dict().items()] for net in (theirs, ours)]
    assert shapes[0] == shapes[1]
    x = torch.randn(2, 3, 64, 64, dtype=torch.float64)
    settled(ours, x)
    theirs.load_state_dict(ours.state_dict(), assign=True)
    torch.testing.assert_close(theirs.eval()(x), ours.eval()(x))


def test_squeeze_and_excitation():
    theirs, ours = ops.SqueezeExcitation(6, 2).double(), SqueezeExcitation(6, 2, ndim=2).double()
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(2, 6, 4, 5, dtype=torch.float64)
    torch.testing.assert_close(ours(x), theirs(x))
