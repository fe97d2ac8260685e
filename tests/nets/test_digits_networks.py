"""The digit networks of LeCun 1989 and Ciresan 2012, and the large ones of pictures along other axes."""

import pytest
import torch
from networks import check_training, outputs, weights
from torch.nn import functional as F
from torch.testing import assert_close

import sigconv
from sigconv.blocks import Inception, SqueezeExcitation
from sigconv.errors import UsageError
from sigconv.nets.alexnet import alexnet
from sigconv.nets.ciresan import LAYERS, ciresan
from sigconv.nets.googlenet import googlenet
from sigconv.nets.lecun1989 import TABLE, ByTable, PlaceBias, lecun1989
from sigconv.nets.resnet import Bottleneck, PreActivation
from sigconv.notation.describe import describe
from sigconv.verification import differences


def test_parameters_of_lecun_1989():
    net = lecun1989("1x16x16")
    parts = [sum(p.numel() for p in part.parameters()) for part in net]
    assert [n for n in parts if n] == [1_068, 2_592, 5_790, 310]
    assert sum(parts) == 9_760


def test_lecun_1989_connects_by_its_table():
    net = lecun1989("1x16x16").double()
    x = torch.randn(2, 1, 16, 16, dtype=torch.float64)

    def squashed(y):
        return 1.7159 * torch.tanh(2 / 3 * y)

    h1 = squashed(F.conv2d(F.pad(x, (2, 1, 2, 1)), net.h1.conv.weight, stride=2) + net.h1.bias.bias)
    torch.testing.assert_close(net.h1(x), h1)
    h2 = torch.zeros(2, 12, 4, 4, dtype=torch.float64)
    for k in range(12):
        for place, seen in enumerate(TABLE[k // 4]):
            window = net.h2.conv.conv.weight[k, place][None, None]
            h2[:, k] += F.conv2d(F.pad(h1[:, seen : seen + 1], (2, 1, 2, 1)), window, stride=2)[:, 0]
    torch.testing.assert_close(net.h2(net.h1(x)), squashed(h2 + net.h2.bias.bias))


def test_counts_of_ciresan():
    assert weights(ciresan) == 76_040
    counted = describe(f"1x29x29-{LAYERS}-10N")
    assert (counted.weights, counted.connections) == (76_040, 1_908_740)
    assert outputs(ciresan(), torch.randn(1, 1, 28, 28), "1_20C4", "3_40C5", "4_MP3") == [(26, 26), (9, 9), (3, 3)]


def test_last_layer_of_the_chinese_characters():
    counted = describe("1x48x48-100C3-MP2-200C2-MP2-300C2-MP2-400C2-MP2-500N-3755N")
    assert counted.layers[-1].weights == 1_881_255


def test_lecun_1989_in_half_precision():
    net, x = lecun1989("1x28x28").eval(), torch.rand(2, 1, 28, 28)
    assert_close(net.bfloat16()(x.bfloat16()).float(), net.float()(x), atol=0.05, rtol=0.05)


def test_lecun_1989_resizes_pictures_whatever_it_was_built_for():
    small, large = lecun1989("1x16x16"), lecun1989("1x28x28")
    large.load_state_dict(small.state_dict())
    for size in (16, 28):
        x = torch.rand(2, 1, size, size)
        assert torch.equal(small(x), large(x))


@pytest.mark.parametrize("make", [lecun1989, ciresan])
def test_digit_networks_learn(make):
    torch.manual_seed(0)
    check_training(make("1x28x28", 4), torch.randn(4, 1, 28, 28), classes=4, steps=6, lr=1e-3)
    with pytest.raises(UsageError, match=r"takes pictures.*1x16000 has 1 axes"):
        make("1x16000")
    with pytest.raises(UsageError, match="classes is 0"):
        make("1x28x28", 0)


def test_pictures_that_are_too_large_for_ciresan():
    with pytest.raises(UsageError, match="29x29 at most; these have 32x30"):
        ciresan("1x32x30")


def test_parameters_of_the_large_ones():
    assert weights(alexnet) == 61_100_840
    assert weights(googlenet) == 7_005_832
    assert weights(googlenet, wide_kernel=3) == 6_624_904


@pytest.mark.parametrize(
    ("make", "options", "least"), [(alexnet, {"neurons": 8}, 63), (googlenet, {"width": 0.05}, 15)]
)
@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_the_large_ones_along_any_number_of_axes(make, options, least, ndim):
    shape = (2, *[least] * ndim)
    assert make(shape, 3, **options).eval()(torch.randn(1, *shape)).shape == (1, 3)
    with pytest.raises(UsageError, match="window spans"):
        make(shape, 3, **options).eval()(torch.randn(1, 2, *[least - 1] * ndim))


@pytest.mark.parametrize("ndim", [1, 2])
@pytest.mark.parametrize(
    "make",
    [
        lambda ndim: ByTable([[0, 1], [1, 2], [2, 0]], 3, 2, ndim),
        lambda ndim: PlaceBias((3, *[4] * ndim)),
        lambda ndim: Inception(3, 1, 1, 1, 1, 1, 1, wide_kernel=4, ndim=ndim),
        lambda ndim: SqueezeExcitation(3, 2, ndim=ndim),
        lambda ndim: PreActivation(3, 2, 2, squeeze=2, ndim=ndim),
        lambda ndim: Bottleneck(3, 1, squeeze=2, ndim=ndim),
    ],
    ids=["by table", "place bias", "inception", "squeeze", "pre-activation", "bottleneck"],
)
def test_backward_passes_are_proved(make, ndim, monkeypatch):
    monkeypatch.setattr(differences, "MANY_NUMBERS", 50)  # of more, differences in random directions
    torch.manual_seed(0)
    found = sigconv.verify(make(ndim), torch.randn(2, 3, *[4] * ndim))
    assert found, str(found)
