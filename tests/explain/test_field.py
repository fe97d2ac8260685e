"""What places see, against the arithmetic of windows."""

import math

import pytest
import torch
from torch import nn

import sigconv
from sigconv.blocks import PerFrame, Residual, chain
from sigconv.explain import activity, effective_field, layer_names, receptive_field
from sigconv.explain.field import extent, middle
from sigconv.nets.googlenet import googlenet
from sigconv.notation import build
from sigconv.notation.describe import describe


@pytest.mark.parametrize(
    "architecture", ["1x60-4C5/2-MP2-3C3-2N", "1x29x29-4C4-MP2-3C5-MP3-2N", "1x9x16x16-4C3/1x2x2-3C3-2N"]
)
def test_it_is_that_of_describe(architecture: str) -> None:
    network = build(architecture).eval()
    layers = [layer for layer in describe(architecture).layers[1:] if len(layer.output) > 1]
    shape = [int(n) for n in architecture.split("-")[0].split("x")]
    for name, layer in zip(layer_names(network), layers, strict=True):
        (field,) = receptive_field(network, name, torch.zeros(shape), [middle(torch.zeros(1, *layer.output))])
        assert tuple(end - begin for begin, end in field) == layer.receptive_field


def test_at_the_edge_there_is_less_to_see() -> None:
    network = chain(conv=sigconv.Conv1d(1, 2, 5, stride=2, padding=2))
    fields = receptive_field(network, "conv", torch.zeros(1, 10), [(0,), (1,), (4,)])
    assert fields == [[(0, 3)], [(0, 5)], [(6, 10)]]


def test_a_place_in_the_padding_sees_nothing() -> None:
    network = chain(conv=sigconv.Conv2d(1, 2, 1, padding=2))
    fields = receptive_field(network, "conv", torch.zeros(1, 10, 4), [(0, 3), (11, 2)])
    assert fields == [[(0, 0), (0, 0)], [(9, 10), (0, 1)]]


def test_causal_places_see_the_past() -> None:
    network = chain(conv=sigconv.Conv1d(1, 2, 3, dilation=4, padding="causal"))
    assert receptive_field(network, "conv", torch.zeros(1, 30), [(20,)]) == [[(12, 21)]]


@pytest.mark.parametrize("kernel", ["winograd", "fft"])
def test_kernels_that_spread_nan_are_not_asked(kernel: str) -> None:
    groups = 1 if kernel == "winograd" else 16
    network = chain(conv=sigconv.Conv1d(16, 16, 3, groups=groups, padding="causal"))
    with sigconv.use_kernel(kernel):
        assert receptive_field(network, "conv", torch.zeros(16, 20), [(9,)]) == [[(7, 10)]]


def test_more_places_than_are_taken_at_once() -> None:
    network = chain(conv=sigconv.Conv1d(1, 2, 3))
    places = [(i,) for i in range(20)]
    assert receptive_field(network, "conv", torch.zeros(1, 22), places) == [[(i, i + 3)] for i in range(20)]


def test_any_torch_network_can_be_asked() -> None:
    body = nn.Sequential(nn.Conv2d(2, 2, (3, 5), padding="same"), nn.BatchNorm2d(2), nn.ReLU())
    network = nn.Sequential(nn.Conv2d(1, 2, 3), Residual(body), nn.MaxPool2d(2), nn.Conv2d(2, 1, 1)).eval()
    assert layer_names(network) == ["0", "1.body.0", "3"]
    (field,) = receptive_field(network, "3", torch.zeros(1, 20, 20), [(3, 4)])
    assert field == [(5, 11), (6, 14)]


def test_the_widest_branch_counts() -> None:
    network = googlenet("1x32x32", 2).eval()
    name = next(name for name in layer_names(network) if "branch" in name)
    assert name
    last = [name for name in layer_names(network) if "inception3a" in name]
    x = torch.randn(1, 32, 32)
    sizes = []
    for layer in last:
        (field,) = receptive_field(network, layer, x, [middle(activity(network, layer, x[None]))])
        sizes.append(math.prod(end - begin for begin, end in field))
    assert max(sizes) > min(sizes) > 1


def test_frames_that_are_taken_one_by_one_have_time_in_front() -> None:
    network = chain(front=sigconv.Conv3d(1, 2, (3, 1, 1)), trunk=PerFrame(chain(conv=sigconv.Conv2d(2, 3, 3))))
    x = torch.randn(2, 1, 6, 8, 8)
    assert activity(network, "trunk.module.conv", x).shape == (2, 3, 4, 6, 6)
    (field,) = receptive_field(network, "trunk.module.conv", x[0], [(1, 2, 2)])
    assert field == [(1, 4), (2, 5), (2, 5)]


def test_the_effective_field_is_where_the_gradient_is() -> None:
    conv = sigconv.Conv1d(1, 1, 9, bias=False)
    conv.weight.data.zero_()
    conv.weight.data[0, 0, 3:6] = torch.tensor([1.0, -2.0, 1.0])
    network = chain(conv=conv)
    strength = effective_field(network, "conv", torch.randn(4, 1, 17))
    assert strength.tolist() == [0.0] * 7 + [1.0, 2.0, 1.0] + [0.0] * 7
    assert extent(strength) == [(7, 10)]
    (sees,) = receptive_field(network, "conv", torch.zeros(1, 17), [(4,)])
    assert sees == [(4, 13)]


def test_a_network_may_begin_by_changing_its_input_in_place() -> None:
    network = chain(relu=torch.nn.ReLU(inplace=True), conv=sigconv.Conv1d(1, 1, 3, padding=1))
    assert effective_field(network, "conv", torch.ones(1, 1, 9)).nonzero().flatten().tolist() == [3, 4, 5]


def test_the_extent_leaves_out_tails() -> None:
    strength = torch.ones(4, 100)
    strength[:, :40] = strength[:, 60:] = 1e-6
    assert extent(strength) == [(0, 4), (40, 60)]
