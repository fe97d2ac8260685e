"""Layers stand in for torch's: parameters, initialisation, state, and whole models converted."""

import copy
from collections.abc import Callable
from inspect import signature

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import prune
from torch.testing import assert_close

import sigconv
from sigconv.errors import UsageError
from sigconv.layout import channels_last, is_channels_last, like

CONVOLUTIONS = [(name, rank) for name in ("Conv", "ConvTranspose") for rank in (1, 2, 3)]
CONV_OPTIONS: list[dict] = [
    {},
    {"bias": False, "stride": 2},
    {"groups": 2, "padding": 1, "dilation": 2},
    {"padding_mode": "circular", "padding": 1},
]


def _pair(name: str, *args: object, **kwargs: object) -> tuple[nn.Module, nn.Module]:
    layers = []
    for library in (sigconv, nn):
        torch.manual_seed(0)
        layers.append(getattr(library, name)(*args, **kwargs))
    return layers[0], layers[1]


@pytest.mark.parametrize("options", CONV_OPTIONS)
@pytest.mark.parametrize(("name", "rank"), CONVOLUTIONS)
def test_initialised_and_computed_as_torchs(name: str, rank: int, options: dict) -> None:
    if name == "ConvTranspose" and "padding_mode" in options:
        options = {"padding": 1, "stride": 2, "output_padding": 1}
    ours, theirs = _pair(f"{name}{rank}d", 4, 6, 3, **options)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for found, expected in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(found, expected)
    for setting in type(theirs).__constants__:
        assert getattr(ours, setting) == getattr(theirs, setting)
    x = torch.randn(2, 4, *(9, 8, 7)[:rank])
    assert_close(ours(x), theirs(x))
    theirs.load_state_dict(ours.state_dict())
    ours.load_state_dict(theirs.state_dict())


def test_positional_arguments_are_those_of_torch() -> None:
    for name, arguments, x in (
        ("Conv2d", (4, 6, 3, 2, 1, 1, 2, False, "reflect"), torch.randn(2, 4, 8, 8)),
        ("ConvTranspose2d", (4, 6, 3, 2, 1, 1, 2, True, 1), torch.randn(2, 4, 8, 8)),
        ("MaxPool2d", (3, 2, 1, 1, False, True), torch.randn(2, 4, 8, 8)),
        ("AvgPool2d", (3, 2, 1, True, False), torch.randn(2, 4, 8, 8)),
        ("AdaptiveMaxPool1d", (3,), torch.randn(2, 4, 8)),
        ("AdaptiveAvgPool3d", ((3, None, 1),), torch.randn(2, 4, 8, 5, 6)),
    ):
        ours, theirs = _pair(name, *arguments)
        assert_close(ours(x), theirs(x))


@pytest.mark.parametrize("name", [name for name in sigconv.layers.__all__ if name.endswith("d")])
def test_a_signal_may_be_given_by_the_name_that_it_has_in_torch(name: str) -> None:
    ours, theirs = (list(signature(getattr(library, name).forward).parameters) for library in (sigconv, nn))
    assert ours == theirs


def test_rank_from_the_kernel_or_from_ndim() -> None:
    assert sigconv.Conv(1, 2, (3, 3, 3)).weight.shape == (2, 1, 3, 3, 3)
    assert sigconv.Conv(1, 2, 3, ndim=2).weight.shape == (2, 1, 3, 3)
    assert sigconv.Conv(1, 2, 2, ndim=5).weight.shape == (2, 1, 2, 2, 2, 2, 2)
    assert sigconv.MaxPool((1, 2)).window.ndim == 2


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: sigconv.Conv(1, 2, 3), ["Conv:", "ndim"]),
        (lambda: sigconv.Conv1d(1, 2, 3, ndim=2), ["Conv1d:", "1 spatial", "ndim=2"]),
        (lambda: sigconv.Conv2d(1, 2, (3, 3, 3)), ["Conv2d:", "3 entries", "2 spatial"]),
        (lambda: sigconv.Conv2d(3, 4, 3, groups=2), ["3 in_channels", "2 groups"]),
        (lambda: sigconv.Conv2d(4, 3, 3, groups=2), ["3 out_channels", "2 groups"]),
        (lambda: sigconv.Conv2d(0, 3, 3), ["in_channels is 0", "1"]),
        (lambda: sigconv.Conv2d(1, 3, 3, stride=-1), ["stride", "axis 0", "-1"]),
        (lambda: sigconv.Conv2d(1, 3, 3, padding_mode="wrap"), ["'wrap'", "circular"]),
        (lambda: sigconv.ConvTranspose2d(1, 3, 3, output_padding=1), ["output_padding", "1", "0"]),
        (lambda: sigconv.ConvTranspose2d(1, 3, 3, padding_mode="reflect"), ["'reflect'", "'zeros'"]),
        (lambda: sigconv.MaxPool2d((2, 2, 2)), ["MaxPool2d:", "3 entries"]),
        (lambda: sigconv.AdaptiveAvgPool2d((1, 2, 3)), ["3 entries", "2"]),
        (lambda: sigconv.AdaptiveAvgPool2d(7.0), ["axis 0", "7.0", "whole number"]),
        (lambda: sigconv.Conv(1, 1, 3, ndim=0), ["0 spatial", "1"]),
        (lambda: sigconv.Conv2d(4, 4, 3, groups="2"), ["groups", "'2'"]),
        (lambda: sigconv.Conv2d(4, 4, 3, groups=0), ["cannot be split", "0 groups"]),
        (lambda: sigconv.Conv2d(4, 4, 3, groups=-1), ["cannot be split", "-1 groups"]),
        (lambda: sigconv.Conv2d(1, 3, 3, padding=True), ["padding True", "not a number"]),
    ],
)
def test_wrong_arguments_are_named(make, words: list[str]) -> None:
    with pytest.raises(sigconv.UsageError) as error:
        make()
    for word in words:
        assert word in str(error.value)


def test_errors_of_a_layer_name_the_layer() -> None:
    layer = sigconv.Conv2d(3, 4, 5, dilation=2)
    with pytest.raises(ValueError, match=r"^Conv2d\(3, 4, kernel_size=\(5, 5\).*axis 1.*spans 9.*has 8"):
        layer(torch.randn(1, 3, 9, 8))


def test_transposed_output_size() -> None:
    ours, theirs = _pair("ConvTranspose2d", 2, 3, 3, 2)
    x = torch.randn(1, 2, 4, 4)
    assert_close(ours(x, (10, 9)), theirs(x, (10, 9)))
    for size, message in (((9, 11), r"axis 1 is 11.*9 to 10"), ((8, 9), r"axis 0 is 8.*9 to 10")):
        with pytest.raises(UsageError, match=message):
            ours(x, size)


def test_transposed_output_beyond_all_windows_is_padded() -> None:
    ours, theirs = _pair("ConvTranspose1d", 2, 3, 3, dilation=3, output_padding=2)
    x = torch.randn(1, 2, 6)
    assert_close(ours(x), theirs(x))


class Residual(nn.Module):
    """The basic block of torchvision's ResNets."""

    def __init__(self, channels: int, stride: int = 1) -> None:
        super().__init__()
        out = channels * stride
        self.conv1 = nn.Conv2d(channels, out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        self.downsample = None
        if stride != 1:
            self.downsample = nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out))

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        return (y + (x if self.downsample is None else self.downsample(x))).relu()


def _resnet() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 16, 7, 2, 3, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.MaxPool2d(3, 2, 1),
        Residual(16),
        Residual(16, 2),
        Residual(32, 2),
        nn.AdaptiveAvgPool2d((1, 1)),
        nn.Flatten(),
        nn.Linear(64, 10),
    )


def test_converted_resnet_has_equal_outputs_and_gradients() -> None:
    theirs, ours = _resnet().double(), sigconv.convert(_resnet().double())
    assert not [m for m in ours.modules() if type(m) in (nn.Conv2d, nn.MaxPool2d, nn.AdaptiveAvgPool2d)]
    assert len([m for m in ours.modules() if isinstance(m, sigconv.Conv2d)]) == 9
    assert list(ours.state_dict()) == list(theirs.state_dict())
    x = torch.randn(2, 3, 64, 64, dtype=torch.float64)
    found, expected = ours(x), theirs(x)
    assert_close(found, expected)
    found.square().sum().backward()
    expected.square().sum().backward()
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert_close(p.grad, q.grad)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Conv1d(2, 4, 3, padding="same", padding_mode="reflect"), (2, 2, 9)),
        (nn.Conv3d(2, 4, (3, 2, 1), stride=(1, 2, 1), groups=2), (2, 2, 5, 6, 4)),
        (nn.ConvTranspose3d(2, 4, 3, stride=2, output_padding=1), (2, 2, 3, 3, 3)),
        (nn.MaxPool1d(3, return_indices=True, ceil_mode=True, stride=2), (2, 2, 8)),
        (nn.MaxPool3d((1, 2, 2), dilation=(1, 2, 1)), (2, 2, 4, 6, 4)),
        (nn.AvgPool1d(3, padding=1, count_include_pad=False), (2, 2, 9)),
        (nn.AvgPool2d(3, divisor_override=5, ceil_mode=True, stride=2), (2, 2, 8, 8)),
        (nn.AdaptiveMaxPool2d((3, None), return_indices=True), (2, 2, 8, 5)),
        (nn.AdaptiveAvgPool1d(3), (2, 2, 8)),
    ],
    ids=str,
)
def test_every_kind_of_layer_is_converted(layer: nn.Module, shape: tuple[int, ...]) -> None:
    ours, x = sigconv.convert(layer), torch.randn(shape)
    assert type(ours).__module__ == "sigconv.layers"
    assert_close(ours(x), layer(x))


def test_conversion_keeps_parameters_hooks_mode_and_sharing() -> None:
    shared = nn.Conv1d(2, 2, 1)
    model = nn.Sequential(shared, nn.ReLU(), shared).eval()
    optimiser = torch.optim.SGD(model.parameters(), lr=1.0)
    heard = []
    shared.register_forward_hook(lambda *_: heard.append(1))
    weight = shared.weight
    assert sigconv.convert(model) is model
    assert model[0] is model[2]
    assert model[0].weight is weight
    assert not model[0].training
    before = weight.clone()
    model(torch.randn(1, 2, 4)).sum().backward()
    optimiser.step()
    assert len(heard) == 2
    assert not torch.equal(model[0].weight, before)


def test_somebodys_own_layers_are_left_alone() -> None:
    class Own(nn.Conv2d):
        pass

    normed = nn.utils.parametrizations.weight_norm(nn.Conv2d(1, 1, 1))
    model = sigconv.convert(nn.Sequential(Own(1, 1, 1), normed))
    assert type(model[0]) is Own
    assert model[1] is normed


def _with_gain(layer: nn.Module) -> nn.Module:
    layer.register_parameter("gain", nn.Parameter(torch.ones(1)))
    return layer


def _with_padding_around(layer: nn.Module) -> nn.Module:
    layer._conv_forward = lambda x, w, b: nn.functional.conv2d(nn.functional.pad(x, [1] * 4, "circular"), w, b)
    return layer


def _with_hook_of_loading(layer: nn.Module) -> nn.Module:
    layer.register_load_state_dict_pre_hook(lambda *arguments: None)
    return layer


def _with_forward(layer: nn.Module) -> nn.Module:
    layer.forward = lambda x: 3 * nn.Conv2d.forward(layer, x)
    return layer


@pytest.mark.parametrize(
    "change",
    [
        _with_gain,
        _with_forward,
        _with_padding_around,
        _with_hook_of_loading,
        lambda layer: nn.utils.parametrizations.weight_norm(layer),
        lambda layer: prune.l1_unstructured(layer, "weight", 0.5),
    ],
    ids=["a parameter", "a forward", "a method", "a hook", "weight_norm", "pruning"],
)
def test_what_somebody_has_added_to_a_layer_is_left_alone(change: Callable[[nn.Module], nn.Module]) -> None:
    model = nn.Sequential(change(nn.Conv2d(2, 4, 3)))
    names, x = list(model.state_dict()), torch.randn(1, 2, 5, 5)
    before = model(x)
    sigconv.convert(model)
    assert list(model.state_dict()) == names
    model.load_state_dict(model.state_dict())
    assert torch.equal(model(x), before)


def test_complex_layers_are_left_alone() -> None:
    model = sigconv.convert(nn.Sequential(nn.Conv1d(2, 3, 3, dtype=torch.complex64)))
    assert model(torch.randn(1, 2, 9, dtype=torch.complex64)).shape == (1, 3, 7)


def test_an_attribute_comes_along() -> None:
    layer = nn.Conv2d(1, 2, 3)
    layer.tag = "first"
    assert sigconv.convert(nn.Sequential(layer))[0].tag == "first"


def test_a_converted_layer_is_changed_by_torchs_names() -> None:
    """As people dilate the last stage of a network, or take the stride from its first layer."""
    theirs = nn.Sequential(nn.Conv2d(3, 8, 3, 2), nn.MaxPool2d(2), nn.AvgPool2d(2), nn.AdaptiveMaxPool2d(1))
    ours, x = sigconv.convert(copy.deepcopy(theirs)), torch.randn(2, 3, 40, 40)
    ours(x)
    for model in (theirs, ours):
        conv, most, mean, last = model
        conv.stride, conv.dilation, conv.padding = (1, 1), (2, 2), (2, 2)
        most.stride, most.padding, mean.kernel_size, last.output_size = 1, 1, (3, 3), (4, 4)
    torch.testing.assert_close(ours(x), theirs(x))
    conv, most, *_ = ours
    assert (conv.stride, conv.dilation, conv.padding, most.stride) == ((1, 1), (2, 2), (2, 2), (1, 1))
    conv.padding = "causal"
    assert (conv.padding, conv.window.padding) == ("causal", ((4, 0), (4, 0)))
    conv.padding_mode = "circular"
    assert conv.padding_mode == "circular"
    with pytest.raises(UsageError, match="stride on spatial axis 0 is 0"):
        conv.stride = 0


def test_output_padding_can_be_set_later() -> None:
    ours, theirs = _pair("ConvTranspose2d", 2, 3, 3, 2)
    ours.output_padding, theirs.output_padding = 1, (1, 1)
    assert ours.output_padding == (1, 1)
    x = torch.randn(1, 2, 5, 5)
    assert_close(ours(x), theirs(x))
    ours.output_padding = (0, 2)
    with pytest.raises(UsageError, match="output_padding on spatial axis 1 is 2"):
        ours(x)


@pytest.mark.parametrize("name", ["kernel_size", "dilation"])
def test_padding_in_words_is_for_the_window_that_there_is(name: str) -> None:
    theirs = nn.Conv1d(2, 3, 3, padding="same")
    for layer in (theirs, sigconv.convert(copy.deepcopy(theirs)), sigconv.Conv1d(2, 3, 3, padding="same")):
        setattr(layer, name, (5,))
        layer.weight = nn.Parameter(torch.ones(3, 2, *layer.kernel_size))
        assert layer(torch.randn(1, 2, 20)).shape == (1, 3, 20)
        assert layer.padding == "same"
    video = sigconv.Conv(1, 2, (3, 3), padding=["causal", 2])
    video.dilation = 2
    assert (video.padding, video.window.padding) == (["causal", 2], ((4, 0), (2, 2)))
    video.padding = (1, 2)
    assert video.padding == (1, 2)


def test_padding_in_numbers_stays_whatever_the_window() -> None:
    layer = sigconv.Conv1d(2, 3, 3, padding=((2, 1),))
    layer.dilation = 2
    assert layer.padding == layer.window.padding == ((2, 1),)


def test_a_weight_of_another_size_needs_its_window() -> None:
    layer, x = sigconv.Conv3d(16, 16, 5, groups=16), torch.randn(2, 16, 8, 9, 9)
    layer.weight = nn.Parameter(torch.randn(16, 1, 3, 3, 3))
    with pytest.raises(UsageError, match=r"kernel is \(3, 3, 3\) but the window's is \(5, 5, 5\).* kernel_size"):
        layer(x)
    layer.kernel_size = 3
    torch.testing.assert_close(layer(x), nn.functional.conv3d(x, layer.weight, layer.bias, groups=16))


@pytest.mark.parametrize(("size", "window"), [((16000,), 9), ((64, 64), 9), ((8, 24, 24), 7)])
@pytest.mark.parametrize("layout", [torch.clone, channels_last])
@pytest.mark.parametrize("groups", [1, 16])
def test_what_a_layer_gives_may_be_changed_in_place(
    size: tuple[int, ...], window: int, layout: Callable[[Tensor], Tensor], groups: int
) -> None:
    layer = sigconv.Conv(16, 16, window, padding=window // 2, groups=groups, ndim=len(size))
    layer = sigconv.channels_last(layer)
    x = layout(torch.randn(2, 16, *size))
    for _ in range(2):  # the second time its form is known
        torch.relu_(layer(x)).sum().backward()


def test_converted_pooling_takes_a_map_smaller_than_its_window() -> None:
    for pool in (nn.MaxPool2d(3, 2, ceil_mode=True), nn.AvgPool2d(3, 2, ceil_mode=True)):
        x = torch.randn(1, 2, 2, 5)
        assert torch.allclose(sigconv.convert(pool)(x), pool(x))


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (sigconv.Conv1d(1, 32, 80, 4), (8, 1, 4000)),
        (sigconv.Conv2d(3, 32, 3), (4, 3, 40, 40)),
        (sigconv.Conv2d(40, 40, 3, padding="same"), (8, 40, 32, 32)),
        (sigconv.Conv2d(32, 32, 3, groups=32, dilation=2), (2, 32, 20, 20)),
        (sigconv.Conv3d(1, 16, (3, 5, 5), (1, 2, 2)), (2, 1, 5, 20, 24)),
        (sigconv.ConvTranspose1d(16, 2, 16, 8), (2, 16, 500)),
        (sigconv.Conv2d(16, 4, 1), (2, 16, 20, 20)),
        (sigconv.Conv(2, 4, (2, 2, 2, 2)), (2, 2, 4, 4, 4, 4)),
    ],
    ids=["waveform", "picture", "tiles", "depthwise", "video", "transposed", "1x1", "four axes"],
)
def test_weights_in_channels_last_change_no_number(layer: nn.Module, shape: tuple[int, ...]) -> None:
    names, x, found = list(layer.state_dict()), torch.randn(shape), []
    for network in (layer, sigconv.channels_last(copy.deepcopy(layer))):
        leaf = x.clone().requires_grad_()
        y = network(leaf)
        found.append((y, *torch.autograd.grad(y.square().mean(), (leaf, *network.parameters()))))
    for before, after in zip(*found, strict=True):
        torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-5 * before.abs().max().item())
    if layer.window.places > 1 and len(shape) < 6:
        assert is_channels_last(network.weight)
        assert is_channels_last(y)
    assert list(network.state_dict()) == names
    assert torch.func.vmap(network)(x[None])[0].shape == y.shape
    single = network(x[0])
    torch.testing.assert_close(single, y[0], rtol=1e-4, atol=1e-5)


def test_weights_that_are_computed_are_not_laid_out() -> None:
    model, x = nn.Sequential(nn.utils.parametrizations.weight_norm(sigconv.Conv2d(2, 4, 3))), torch.randn(1, 2, 5, 5)
    before = model(x)
    assert sigconv.channels_last(model) is model
    assert torch.equal(model(x), before)


def test_whole_numbers_of_numpy_are_numbers() -> None:
    assert sigconv.convert(nn.Conv2d(3, 4, np.int64(3))).window == sigconv.Conv2d(3, 4, np.int64(3)).window


@pytest.mark.parametrize(
    "wrong", [{"kernel_size": 3.0}, {"stride": 1.5}, {"padding": None}, {"in_channels": 3.0}, {"groups": 1.0}]
)
def test_what_is_no_number_is_named(wrong: dict) -> None:
    (value,) = wrong.values()
    with pytest.raises(UsageError, match=f"Conv2d: .* {value}"):
        sigconv.Conv2d(**({"in_channels": 3, "out_channels": 4, "kernel_size": 3} | wrong))


def test_what_is_no_signal_is_named() -> None:
    with pytest.raises(UsageError, match="input is a NoneType; it must be a tensor"):
        sigconv.Conv2d(3, 4, 3)(None)
    with torch.autocast("cpu", torch.bfloat16), pytest.raises(UsageError, match=r"input is torch\.int64"):
        sigconv.Conv2d(3, 4, 3)(torch.zeros(1, 3, 8, 8, dtype=torch.int64))


def test_transposed_convolution_takes_the_size_of_a_whole_signal() -> None:
    x, layer = torch.randn(2, 3, 5, 6), sigconv.ConvTranspose2d(3, 4, 3, stride=2)
    assert layer(x, output_size=torch.Size([2, 4, 12, 13])).shape == (2, 4, 12, 13)
    assert layer(x[0], output_size=torch.Size([4, 12, 13])).shape == (4, 12, 13)
    assert layer(x[..., :5], output_size=12).shape == (2, 4, 12, 12)


def test_the_stride_of_a_single_signal_tells_no_layout() -> None:
    x = torch.empty_strided((1, 3, 5, 6), (7, 1, 18, 3))
    assert is_channels_last(x)
    assert not is_channels_last(x.contiguous())


def test_a_single_channel_is_brought_into_the_other_layout() -> None:
    assert not is_channels_last(like(channels_last(torch.randn(2, 1, 5, 4)), torch.randn(2, 3, 5, 4)))


def test_a_weight_of_one_place_leaves_the_layout_as_it_is() -> None:
    assert sigconv.Conv2d(4, 8, 1)(torch.randn(2, 4, 5, 6)).is_contiguous()


@pytest.mark.parametrize("strides", [(64, 1, 1), (64, 1, 64), (64, 1, 7)])
def test_a_signal_of_one_place_gives_the_same_bits_whenever_it_comes(strides: tuple[int, ...]) -> None:
    """Its strides tell no layout; the first call of a form takes another way than those that follow."""
    layer = sigconv.Conv1d(64, 64, 3, padding=1, bias=False)
    x = torch.empty_strided((4, 64, 1), strides).copy_(torch.randn(4, 64, 1))
    first, second, third = (layer(x) for _ in range(3))
    assert torch.equal(first, second)
    assert torch.equal(first, third)
    assert first.stride() == second.stride()
