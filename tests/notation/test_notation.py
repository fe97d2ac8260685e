"""The architecture language: reading, building, and what it says to mistakes."""

import copy
import pickle

import pytest
import torch
from architectures import architectures
from hypothesis import given, settings
from torch import nn

from sigconv.errors import UsageError
from sigconv.notation import EXAMPLE, build, parse, parse_input
from sigconv.notation.architecture import Architecture, Layer
from sigconv.notation.describe import describe


def test_reads_the_example():
    assert parse(EXAMPLE) == Architecture(
        (1, 28, 28),
        (
            Layer("C", 20, (4, 4), (1, 1)),
            Layer("MP", None, (2, 2), (2, 2)),
            Layer("C", 40, (5, 5), (1, 1)),
            Layer("MP", None, (3, 3), (3, 3)),
            Layer("N", 150),
            Layer("N", 10),
        ),
    )


def test_reads_sizes_and_strides_of_each_axis():
    layers = parse("1x75x40x80-64C5x7x7/1x2x2-MP1x3x3/1x2x2-AP2/1-GAP-51N").layers
    assert layers[0] == Layer("C", 64, (5, 7, 7), (1, 2, 2))
    assert layers[1] == Layer("MP", None, (1, 3, 3), (1, 2, 2))
    assert layers[2] == Layer("AP", None, (2, 2, 2), (1, 1, 1))
    assert layers[3] == Layer("GAP")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (" 1x28x28 - 20c4 - mp2 - gap - 10n ", "1x28x28-20C4-MP2-GAP-10N"),
        ("1\u00d728\u00d728\u201320C4\u2212MP2\u201410N\u201010N\u201110N", "1x28x28-20C4-MP2-10N-10N-10N"),
        ("1X28X28-20C4x4/1-MP2x2/2-10N", "1x28x28-20C4-MP2-10N"),
        ("1x16000-64C80/4-MP4/1", "1x16000-64C80/4-MP4/1"),
    ],
)
def test_forms_of_one_string(written, meant):
    assert str(parse(written)) == meant


@settings(max_examples=100, deadline=None)
@given(architectures())
def test_printing_and_reading_are_inverse(architecture):
    assert parse(str(architecture)) == architecture
    assert parse(architecture, architecture.input) == architecture


@pytest.mark.parametrize("given", ["1x28x28", "1\u00d728\u00d728", (1, 28, 28), [1, 28, 28], torch.Size([1, 28, 28])])
def test_input_may_stand_apart(given):
    assert parse("20C4-10N", given) == parse("1x28x28-20C4-10N", given) == parse("1x28x28-20C4-10N")


@pytest.mark.parametrize("wrong", ["28", 28, (28,), "1x0x28", "1xx28", "x28", (1, -28), "axb", ""])
def test_input_must_be_channels_and_sizes(wrong):
    with pytest.raises(UsageError, match="must be channels x sizes"):
        parse_input(wrong)


WRONG = {
    "1x28x28-20C4-MP2-40C5-MP3-MP3-10N": r"layer 5, MP3, receives 2x2 but its window needs at least 3x3",
    "1x28-20C30-10N": r"layer 1, 20C30, receives 28 but its window needs at least 30",
    "1x28x28-20C4-MX2-10N": r"layer 2, 'MX2', is not a layer; there are 20C5",
    "1x28x28-20C4--10N": r"layer 2, '', is not a layer",
    "1x28x28-20C4-150": r"layer 2, '150', is not a layer; .* 150N \(neurons\)",
    "1x28x28-20C4 10N": r"layer 1, '20C4 10N', is not a layer",
    "1x28x28-20C": r"layer 1, '20C', is not a layer: a convolution is written 20C5",
    "1x28x28-C5": r"layer 1, 'C5', is not a layer: a convolution is written 20C5",
    "1x28x28-MP/2": r"'MP/2', is not a layer: maximum pooling is written MP2",
    "1x28x28-3AP2": r"'3AP2', is not a layer: average pooling is written AP2",
    "1x28x28-10N5": r"'10N5', is not a layer: a layer of neurons is written 150N",
    "1x28x28-10N/2": r"'10N/2', is not a layer: a layer of neurons is written 150N",
    "1x28x28-GAP2": r"'GAP2', is not a layer: global average pooling is written GAP",
    "1x28x28-0C5": r"layer 1, '0C5': 0 maps; there must be at least 1",
    "1x28x28-0N": r"layer 1, '0N': 0 neurons; there must be at least 1",
    "1x28x28-4C0": r"layer 1, '4C0': kernel on spatial axis 0 is 0; it must be at least 1",
    "1x28x28-MP2/1x0": r"layer 1, 'MP2/1x0': stride on spatial axis 1 is 0; it must be at least 1",
    "1x28x28-4C4x4x4": r"layer 1, '4C4x4x4': kernel has 3 entries \(4, 4, 4\) for 2 spatial axes",
    "1x28x28-10N-4C4": r"layer 2, 4C4, receives a vector from layer 1, 10N",
    "1x28x28-GAP-GAP": r"layer 2, GAP, receives a vector from layer 1, GAP",
    f"1x28x28-{'9' * 5000}N": r"the number 9{20} has 5000 digits; in layers and inputs there are at most 9",
    "1x28x28-3C1000000000": r"the number 1000000000 has 10 digits",
    "1x28x28": r"no layers in '1x28x28'; an example",
    "20C4-10N": r"begins with '20C4', which is not an input; begin with one, as in .*, or give it apart",
    "": r"begins with '', which is not an input",
    "784-10N": r"the input '784' must be channels x sizes",
}


@pytest.mark.parametrize("string", WRONG)
def test_mistakes_are_named(string):
    with pytest.raises(UsageError, match=WRONG[string]):
        build(string)


def test_two_inputs_must_agree():
    with pytest.raises(UsageError, match="begins with the input 1x29x29 but input=1x28x28 is given"):
        parse("1x29x29-20C4-10N", "1x28x28")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"classes": 35}, "layer 2, 10N, gives 10 but there are 35 classes; end in 35N"),
        ({"classes": "10"}, "classes is '10'; it must be a whole number"),
        ({"activation": "rely"}, "Did you mean relu"),
        ({"norm": "bach"}, "Did you mean batch"),
        ({"dropout": 1.0}, "dropout is 1.0"),
        ({"padding": "sam"}, "layer 1, 20C4: padding 'sam'"),
        ({"padding": ("same",) * 3}, "network: padding has 3 entries"),
        (
            {"padding": 1.5, "causal": True},
            "layer 1, 20C4: padding 1.5 on spatial axis 1 is not a number, pair or word",
        ),
    ],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(UsageError, match=message):
        build("1x28x28-20C4-10N", **options)


def test_n_alone_has_a_neuron_for_each_class():
    assert str(parse("1x28x28-20C4-n", classes=7)) == "1x28x28-20C4-7N"
    net = build("20C4-128N-N", (1, 28, 28), classes=7)
    assert list(net.state_dict())[-1] == "3_7N.linear.bias"
    assert net(torch.randn(2, 1, 28, 28)).shape == (2, 7)


@pytest.mark.parametrize("read", [parse, build, describe])
def test_n_alone_needs_the_classes(read):
    with pytest.raises(UsageError, match=r"layer 2, 'N': as many neurons as there are classes, .* write it, as in 10N"):
        read("1x28x28-20C4-N")


def test_only_the_last_layer_may_be_n_alone():
    with pytest.raises(UsageError, match=r"layer 2, 'N', is not a layer: .* 150N \(the last layer may be N"):
        build("1x28x28-20C4-N-10N", classes=10)
    with pytest.raises(UsageError, match="layer 1, '0N': 0 neurons"):
        build("N", (1, 8), classes=0)


def test_ndim_folds_the_axes_before_into_channels():
    net = build("16C5-MP2-N", (1, 40, 101), classes=3, ndim=1)
    plain = build("40x101-16C5-MP2-3N")
    assert list(net.state_dict()) == list(plain.state_dict())
    plain.load_state_dict(net.state_dict())
    x = torch.randn(2, 1, 40, 101)
    assert torch.equal(net(x), plain(x.squeeze(1)))
    assert str(parse("1x40x101-16C5-3N", ndim=1)) == "40x101-16C5-3N"
    assert parse(parse("16C5-3N", (1, 40, 101), ndim=1), "1x40x101", ndim=1).input == (40, 101)
    assert build("1x40x101-16C5x3-3N", ndim=2)(x).shape == (2, 3)


@pytest.mark.parametrize("ndim", [0, 3])
def test_ndim_is_at_most_the_axes_of_the_input(ndim):
    with pytest.raises(UsageError, match=rf"ndim is {ndim}; .* = \(1, 40, 101\) has 2 axes"):
        build("16C5-3N", (1, 40, 101), ndim=ndim)


def test_maps_are_no_classes():
    with pytest.raises(UsageError, match="layer 1, 20C4, gives 20x25x25 but there are 10 classes"):
        build("1x28x28-20C4", classes=10)


def test_builds_the_plain_network():
    net = build(EXAMPLE, classes=10)
    names = ["1_20C4.conv", "3_40C5.conv", "5_150N.linear", "6_10N.linear"]
    assert list(net.state_dict()) == [f"{name}.{part}" for name in names for part in ("weight", "bias")]
    conv1, conv2, linear1, linear2 = (net.get_submodule(name) for name in names)
    x = torch.randn(3, 1, 28, 28)
    y = nn.functional.max_pool2d(nn.functional.conv2d(x, conv1.weight, conv1.bias).relu(), 2)
    y = nn.functional.max_pool2d(nn.functional.conv2d(y, conv2.weight, conv2.bias).relu(), 3)
    torch.testing.assert_close(net(x), linear2(linear1(y.flatten(1)).relu()))
    torch.testing.assert_close(net(x[0]), net(x)[0])


def test_only_hidden_layers_have_norm_and_activation():
    net = build("1x28x28-20C4-MP2-30N-10N", norm="batch", activation="tanh")
    kinds = [[name for name, _ in layer.named_children()] for layer in net]
    assert kinds == [["conv", "norm", "activation"], [], ["flatten", "linear", "norm", "activation"], ["linear"]]
    assert isinstance(net[0].activation, nn.Tanh)
    (local, _) = build("1x9-2L3-1N", norm="batch", activation="tanh")
    assert [name for name, _ in local.named_children()] == ["local", "norm", "activation"]
    assert [name for name, _ in build("1x9-2C3-3C3", norm="batch")[-1].named_children()] == ["conv"]


def test_dropout_stands_before_neurons_but_never_on_the_input():
    net = build("1x28x28-30N-20N-10N", dropout=0.25)
    assert [[m.p for m in layer if isinstance(m, nn.Dropout)] for layer in net] == [[], [0.25], [0.25]]
    assert not any(isinstance(m, nn.Dropout) for m in build("1x28x28-20C4-30N-10N").modules())


def test_global_pooling():
    net = build("2x9x9-3C3-GAP", activation=None)
    x = torch.randn(4, 2, 9, 9)
    torch.testing.assert_close(net(x), net[0](x).mean((2, 3)))
    net = build("2x9-3C3-GMP-3N", classes=3)
    assert net(torch.randn(4, 2, 20)).shape == (4, 3)  # any length, as there are no weights for places


def test_padding_is_that_of_each_axis():
    net = build("1x6x5x5-2C3-3C3", padding=("causal", "same", "same"), activation="tanh")
    x = torch.randn(1, 1, 6, 5, 5)
    changed = x.clone()
    changed[:, :, 4:] = 0
    y, z = net(x), net(changed)
    assert y.shape == (1, 3, 6, 5, 5)
    assert torch.equal(y[:, :, :4], z[:, :, :4])
    assert not torch.equal(y[:, :, 4:], z[:, :, 4:])


@pytest.mark.parametrize("padding", ["same", 1, (0, 2), ("valid", "same", "same"), [[1, 1], "same", 0]])
def test_causal_is_the_padding_of_the_first_axis(padding):
    text = "1x6x8x8-2C3-MP1x2x2-3C3x3x2"
    net = build(text, padding=padding, causal=True, activation="tanh")
    assert [layer.conv.window.padding[0] for layer in (net[0], net[2])] == [(2, 0)] * 2
    plain = build(text, padding=padding)
    for one, other in zip((net[0], net[2]), (plain[0], plain[2]), strict=True):
        assert one.conv.window.padding[1:] == other.conv.window.padding[1:]
    x = torch.randn(1, 1, 6, 8, 8)
    changed = torch.cat([x[:, :, :4], torch.zeros(1, 1, 2, 8, 8)], 2)
    y, z = net(x), net(changed)
    assert y.shape[2] == 6
    assert torch.equal(y[:, :, :4], z[:, :, :4])
    assert not torch.equal(y[:, :, 4:], z[:, :, 4:])


@pytest.mark.parametrize("options", [{"causal": True}, {"padding": "causal"}, {"padding": ("causal", "same", "same")}])
def test_a_norm_over_time_is_not_causal(options):
    with pytest.raises(UsageError, match=r"norm=layer takes means over all of time.* where causal, take norm=batch"):
        build("4C3-5N", "1x9x8x8", norm="layer", **options)


def test_causal_sound_has_one_axis():
    assert build("1x40x30-8C5-GAP-3N", ndim=1, causal=True)[1].conv.window.padding == ((4, 0),)
    assert build("1x30-8C5-3N", padding=(1, 2), causal=True)[0].conv.window.padding == ((4, 0),)


def test_signals_of_another_size_are_named():
    with pytest.raises(UsageError, match=r"receives \(20, 14, 14\) but the network was built for \(20, 12, 12\)"):
        build("1x28x28-20C4-MP2-10N")(torch.randn(1, 1, 32, 32))


def test_networks_are_copied_pickled_and_exported():
    net = build("1x9x9-2C4/2-MP1x2-3N", norm="batch").eval()
    x = torch.randn(2, 1, 9, 9)
    exported = torch.export.export(net, (x,)).module()
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net)), exported):
        assert torch.equal(twin(x), net(x))


def test_hydra_builds_networks():
    hydra = pytest.importorskip("hydra.utils")
    from hydra.core.override_parser.overrides_parser import OverridesParser

    text = "1x8x20x20-4C3x5x5/1x2x2-MP1x2x2-10N"
    assert OverridesParser.create().parse_override(f"model.layers={text}").value() == text
    options = {"layers": text, "input": "1x8x20x20", "padding": ["causal", "same", [2, 2]], "norm": None}
    net = hydra.instantiate({"_target_": "sigconv.notation.build", **options})
    assert net(torch.randn(1, 1, 8, 20, 20)).shape == (1, 10)
