"""Our layers as torch.nn's."""

import torch
from torch import nn

from sigconv import layers
from sigconv.bench.channels_last import AsPicture, in_channels_last
from sigconv.bench.twin import PlainBatchNorm, torch_twin
from sigconv.blocks import BatchNorm, ConvBlock, Linear, chain


def test_each_layer_becomes_the_one_that_it_stands_for() -> None:
    net = chain(
        conv=layers.Conv(2, 4, (3, 3), 2, padding=1, groups=2, bias=False),
        pool=layers.MaxPool((3, 3), 2, padding=1, ceil_mode=True),
        mean=layers.AvgPool((2, 2), padding=1, count_include_pad=False),
        whole=layers.AdaptiveAvgPool((1, None)),
        most=layers.AdaptiveMaxPool((1, 1)),
    )
    twin = torch_twin(net)
    assert [type(part) for part in twin] == [
        nn.Conv2d,
        nn.MaxPool2d,
        nn.AvgPool2d,
        nn.AdaptiveAvgPool2d,
        nn.AdaptiveMaxPool2d,
    ]
    assert list(twin.state_dict()) == list(net.state_dict())
    x = torch.randn(2, 2, 20, 20)
    torch.testing.assert_close(twin(x), net(x))


def test_uneven_padding_stands_before_the_layer() -> None:
    x = torch.randn(2, 2, 5, 20)
    for layer in (
        layers.Conv(2, 3, (1, 4), padding=("valid", "causal")),
        layers.MaxPool((1, 4), 1, padding=("valid", "causal")),
        layers.AvgPool((2, 4), 1, padding="same"),
    ):
        twin = torch_twin(layer)
        assert isinstance(twin, nn.Sequential)
        assert isinstance(twin[0], nn.ConstantPad2d)
        torch.testing.assert_close(twin(x), layer(x))


def test_a_block_becomes_its_parts_one_after_the_other() -> None:
    block = ConvBlock(2, 4, (3,), pool=2)
    twin = torch_twin(block)
    assert type(twin) is nn.Sequential
    assert [name for name, _ in twin.named_children()] == ["conv", "norm", "activation", "pool"]
    assert not isinstance(twin.norm, BatchNorm)
    x = torch.randn(3, 2, 20)
    torch.testing.assert_close(twin(x), block(x))
    torch.testing.assert_close(twin.state_dict(), block.state_dict())


def test_neurons_become_torchs() -> None:
    layer = Linear(3, 4, bias=False)
    twin = torch_twin(layer)
    assert type(twin) is nn.Linear
    torch.testing.assert_close(twin.state_dict(), layer.state_dict())


def test_the_network_itself_is_left_alone() -> None:
    block = ConvBlock(2, 4, (3,))
    twin = torch_twin(block)
    assert isinstance(block.conv, layers.Conv)
    assert all(a is not b for a, b in zip(twin.parameters(), block.parameters(), strict=True))


def test_signals_along_one_axis_become_pictures() -> None:
    plain = nn.Sequential(
        nn.ConstantPad1d((3, 1), 0.0),
        nn.Conv1d(4, 8, 3, 2, padding=1, dilation=2, groups=2),
        PlainBatchNorm(8),
        nn.MaxPool1d(3, 2, padding=1, ceil_mode=True),
        nn.ConvTranspose1d(8, 4, 4, 3, padding=1, output_padding=2),
    )
    x = torch.randn(2, 4, 41)
    expected = plain(x)
    pictures = in_channels_last(plain, 1)
    assert all(isinstance(layer, AsPicture) for layer in pictures)
    torch.testing.assert_close(pictures(x), expected)
