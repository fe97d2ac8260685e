"""LeNet-5: its counts, and what it computes written out with torch's own functions."""

import pytest
import torch
from torch.nn import functional as F

from sigconv.errors import UsageError
from sigconv.nets.lenet import LAYERS, lenet5
from sigconv.notation.describe import describe


def test_counts():
    net = lenet5()
    sizes = [sum(p.numel() for p in layer.parameters()) for layer in net]
    assert [n for n in sizes if n] == [156, 2_416, 48_120, 10_164, 850]
    assert sum(sizes) == 61_706
    description = describe(f"{LAYERS}-10N", "1x32x32")
    assert (description.weights, description.connections) == (61_706, 423_038)


def test_equals_convolutions_padded_by_two_with_average_pooling_and_tanh():
    net = lenet5(activation="tanh").double()
    x = torch.randn(2, 1, 28, 28, dtype=torch.float64)
    (w1, b1), (w3, b3), (w5, b5), (w6, b6), (w7, b7) = zip(*[iter(net.parameters())] * 2, strict=True)
    y = F.avg_pool2d(F.conv2d(x, w1, b1, padding=2).tanh(), 2)
    y = F.avg_pool2d(F.conv2d(y, w3, b3).tanh(), 2)
    y = F.linear(F.conv2d(y, w5, b5).tanh().flatten(1), w6, b6).tanh()
    torch.testing.assert_close(net(x), F.linear(y, w7, b7))


def test_other_inputs_and_classes():
    assert lenet5((3, 32, 32), classes=7)(torch.randn(2, 3, 32, 32)).shape == (2, 7)
    with pytest.raises(UsageError, match=r"takes pictures.*1x16000 has 1 axes"):
        lenet5("1x16000")
    with pytest.raises(UsageError, match="LeNet-5: classes is 0"):
        lenet5(classes=0)
    with pytest.raises(UsageError, match="layer 5, 120C5, receives 4x4"):
        lenet5("1x24x24")
