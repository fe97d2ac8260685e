"""Counts and receptive fields against papers, the built network, torch's flop counter and gradients."""

import json
import math
from dataclasses import replace

import pytest
import torch
from architectures import architectures, paddings
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from sigconv.errors import UsageError
from sigconv.notation import build
from sigconv.notation.architecture import Architecture
from sigconv.notation.describe import describe, format_table
from sigconv.notation.receptive_field import ReceptiveField

MNIST = "1x29x29-20C4-MP2-40C5-MP3-150N-10N"
CHINESE = "1x48x48-100C3-MP2-200C2-MP2-300C2-MP2-400C2-MP2-500N-3755N"
WAVEFORM = "1x16000-128C80/4-MP4-128C3-MP4-256C3-MP4-512C3-MP4-GAP-35N"


def test_counts_of_the_mnist_network():
    description = describe(MNIST)
    assert (description.weights, description.connections) == (76_040, 1_908_740)
    assert [layer.weights for layer in description.layers] == [0, 340, 0, 20_040, 0, 54_150, 1_510]


def test_counts_of_the_chinese_characters_network():
    last = describe(CHINESE).layers[-1]
    assert (last.weights, last.connections) == (1_881_255, 1_881_255)


def test_counts_of_lenet_as_its_paper_gives_them():
    layers = describe("1x32x32-6C5-AP2-16C5-AP2-120C5-84N-10N").layers
    c1, c5, f6 = layers[1], layers[5], layers[6]
    assert (c1.weights, c1.connections) == (156, 122_304)
    assert (c5.weights, c5.connections) == (48_120, 48_120)
    assert f6.weights == 10_164


def test_receptive_fields_by_hand():
    description = describe(WAVEFORM, input_rate=16_000)
    fields = [(layer.receptive_field, layer.jump) for layer in description.layers]
    assert fields[:5] == [((1,), (1,)), ((80,), (4,)), ((92,), (16,)), ((124,), (16,)), ((172,), (64,))]
    assert fields[-1] == ((15_084,), ())
    layers = description.as_dict()["layers"]
    assert (layers[1]["receptive_field_ms"], layers[1]["jump_ms"]) == (5.0, 0.25)
    assert (layers[-1]["receptive_field_ms"], layers[-1]["jump_ms"]) == (942.75, None)


def test_the_rate_belongs_to_the_axis_of_time():
    frames_last = describe("1x40x100-8C5x3/1x2", input_rate=100, time_axis=1).as_dict()["layers"][1]
    assert (frames_last["receptive_field_ms"], frames_last["jump_ms"]) == (30.0, 20.0)


def run_through(architecture: Architecture, padding: object) -> tuple[torch.nn.Sequential, list[Tensor]]:
    net = build(architecture, padding=padding, activation=None)
    values = [torch.randn(1, *architecture.input)]
    for layer in net:
        values.append(layer(values[-1]))
    return net, values


@settings(max_examples=40, deadline=None)
@given(architectures(), paddings)
def test_weights_and_shapes_are_those_of_the_network(architecture, padding):
    description = describe(architecture, padding=padding)
    net, values = run_through(architecture, padding)
    assert [layer.output for layer in description.layers] == [tuple(value.shape[1:]) for value in values]
    assert description.weights == sum(p.numel() for p in net.parameters())
    weights = [sum(p.numel() for p in layer.parameters()) for layer in net]
    assert [layer.weights for layer in description.layers[1:]] == weights


@settings(max_examples=40, deadline=None)
@given(architectures(), paddings)
def test_multiply_adds_are_those_that_torch_counts(architecture, padding):
    with FlopCounterMode(display=False) as counter:
        run_through(architecture, padding)
    assert 2 * describe(architecture, padding=padding).multiply_adds == counter.get_total_flops()


@settings(max_examples=40, deadline=None)
@given(architectures())
def test_connections_are_the_places_that_see_the_weights(architecture):
    """A weight has as many connections as places: the gradient of the summed output when all that enters is one."""
    net = build(architecture, activation=None).double()
    for stage, layer in zip(describe(architecture).layers[1:], net, strict=True):
        ones = torch.ones(1, *describe(architecture).layers[stage.number - 1].output, dtype=torch.float64)
        parameters = list(layer.parameters())
        gradients = torch.autograd.grad(layer(ones).sum(), parameters) if parameters else []
        assert stage.connections == sum(int(gradient.sum().round()) for gradient in gradients)


def linearised(architecture: Architecture, padding: object) -> torch.nn.Sequential:
    """The network with sums in place of maxima, and weights that cannot cancel."""
    kinds = {"MP": "AP", "GMP": "GAP"}
    layers = tuple(replace(layer, kind=kinds.get(layer.kind, layer.kind)) for layer in architecture.layers)
    net = build(replace(architecture, layers=layers), padding=padding, activation=None).double()
    for parameter in net.parameters():
        torch.nn.init.uniform_(parameter, 0.5, 1.5)
    return net


def seen(net: torch.nn.Sequential, shape: tuple[int, ...], place: tuple[int, ...]) -> list[tuple[int, int]]:
    """The first and last input sample with a gradient, along each axis, of one place of the first map."""
    x = torch.randn(1, *shape, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(net(x)[(0, 0, *place)], x)
    where = gradient[0].ne(0).any(0).nonzero()
    return list(zip(where.amin(0).tolist(), where.amax(0).tolist(), strict=True))


@settings(max_examples=40, deadline=None)
@given(architectures(), st.data())
def test_receptive_field_is_what_has_a_gradient(architecture, data):
    last = describe(architecture).layers[-1]
    net = linearised(architecture, "valid")
    place = tuple(data.draw(st.integers(0, n - 1)) for n in last.output[1:])
    spans = seen(net, architecture.input, place)
    assert tuple(end - start + 1 for start, end in spans) == last.receptive_field
    for axis, (index, jump) in enumerate(zip(place, last.jump, strict=False)):
        assert spans[axis][0] == index * jump


@settings(max_examples=40, deadline=None)
@given(architectures(vector=False), st.sampled_from(["same", "causal"]))
def test_receptive_field_with_padding(architecture, padding):
    """Exact where it holds nothing of the padding, and never less than what has a gradient."""
    last = describe(architecture, padding=padding).layers[-1]
    place = tuple(n // 2 for n in last.output[1:])
    field, begins = ReceptiveField.of_input(architecture.ndim), [0] * architecture.ndim  # of place 0: in the padding
    for stage in architecture.stages(padding):
        begins = [b - j * before for b, j, (before, _) in zip(begins, field.jump, stage.window.padding, strict=True)]
        field = field.through(stage.window)
    spans = seen(linearised(architecture, padding), architecture.input, place)
    for axis, (start, end) in enumerate(spans):
        first = begins[axis] + place[axis] * field.jump[axis]
        if first >= 0 and first + last.receptive_field[axis] <= architecture.input[axis + 1]:
            assert (start, end - start + 1) == (first, last.receptive_field[axis])
        assert end - start + 1 <= last.receptive_field[axis]


def test_a_field_is_at_most_the_input():
    assert describe("1x28x28-20C5-MP2-40C5-MP2-10N", padding="same").layers[-1].receptive_field == (28, 28)


def test_dictionary_is_json():
    description = describe(MNIST)
    loaded = json.loads(json.dumps(description.as_dict()))
    assert loaded["architecture"] == MNIST
    assert loaded["connections"] == sum(layer["connections"] for layer in loaded["layers"]) == 1_908_740
    assert loaded["layers"][1]["output"] == [20, 26, 26]


def test_table_of_the_mnist_network():
    assert format_table(describe(MNIST), width=80) == "\n".join(
        [
            "   layer    output  weights  connections  multiply-adds  field  jump",
            "-  -----  --------  -------  -----------  -------------  -----  ----",
            "0  input   1x29x29                                         1x1   1x1",
            "1  20C4   20x26x26      340      229,840        216,320    4x4   1x1",
            "2  MP2    20x13x13                                         5x5   2x2",
            "3  40C5     40x9x9   20,040    1,623,240      1,620,000  13x13   2x2",
            "4  MP3      40x3x3                                       17x17   6x6",
            "5  150N        150   54,150       54,150         54,000  29x29",
            "6  10N          10    1,510        1,510          1,500  29x29",
            "-  -----  --------  -------  -----------  -------------  -----  ----",
            "   sum               76,040    1,908,740      1,891,820",
            "",
            "field: input samples that one place sees; jump: from one place to the next",
        ]
    )


@pytest.mark.parametrize("width", [80, 120])
def test_tables_keep_to_the_width(width):
    text = format_table(describe(WAVEFORM, input_rate=16_000), width)
    assert max(map(len, text.splitlines())) <= width
    assert text.count("128C80/4") == (2 if width == 80 else 1)
    assert "15084" in text
    assert "942.8" in text
    assert "569,891" in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"input_rate": 0}, "input_rate is 0"),
        ({"input_rate": math.nan}, "input_rate is nan"),
        ({"time_axis": 2}, r"time_axis is 2; 1x29x29 has axes 0 to 1"),
        ({"input": "1x28x28"}, "begins with the input 1x29x29 but input=1x28x28"),
    ],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(UsageError, match=message):
        describe(MNIST, **options)


def test_without_sharing_there_is_a_weight_for_each_connection():
    shared, own = describe("1x12x12-8C5/2-4C3-10N"), describe("1x12x12-8L5/2-4L3-10N")
    assert (own.connections, own.multiply_adds) == (shared.connections, shared.multiply_adds)
    assert [layer.weights for layer in own.layers[1:3]] == [layer.connections for layer in shared.layers[1:3]]
    assert own.weights == sum(p.numel() for p in build("1x12x12-8L5/2-4L3-10N").parameters())
