"""What a network of the architecture language costs and what it sees, layer by layer."""

import dataclasses
import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sigconv.errors import UsageError
from sigconv.notation import parse
from sigconv.notation.architecture import Architecture, Stage
from sigconv.notation.receptive_field import ReceptiveField
from sigconv.table import Table
from sigconv.window import Padding, Sizes
from sigconv.words import by_x


@dataclass(frozen=True)
class LayerDescription:
    """A layer's costs and view; the input is layer 0.

    Attributes:
        output: (maps, *size), or (numbers,) for a vector.
        weights: including biases; pooling has none.
        connections: how often one signal is multiplied by a weight, biases and places in the padding included.
        multiply_adds: of a forward pass of one signal; in convolutions and neurons, without biases.
        receptive_field: input samples along each axis that one place of the output sees, at most all.
        jump: input samples along each axis between neighbouring places; empty for a vector.
    """

    number: int
    text: str
    output: Sizes
    weights: int
    connections: int
    multiply_adds: int
    receptive_field: Sizes
    jump: Sizes


@dataclass(frozen=True)
class Description:
    """A network's layers and their sums; ``print`` shows them as a table.

    ``input_rate`` is in Hz, of the samples along ``time_axis``.
    """

    architecture: Architecture
    layers: tuple[LayerDescription, ...]
    input_rate: float | None = None
    time_axis: int = 0

    @property
    def weights(self) -> int:
        return sum(layer.weights for layer in self.layers)

    @property
    def connections(self) -> int:
        return sum(layer.connections for layer in self.layers)

    @property
    def multiply_adds(self) -> int:
        return sum(layer.multiply_adds for layer in self.layers)

    def milliseconds(self, samples: Sizes) -> float | None:
        """How long this number of input samples lasts along the time axis; None without a rate or without axes."""
        return 1000 * samples[self.time_axis] / self.input_rate if self.input_rate and samples else None

    def as_dict(self) -> dict[str, Any]:
        """All of it, for JSON."""
        return {
            "architecture": str(self.architecture),
            "input_rate": self.input_rate,
            "layers": [
                dataclasses.asdict(layer)
                | {
                    "receptive_field_ms": self.milliseconds(layer.receptive_field),
                    "jump_ms": self.milliseconds(layer.jump),
                }
                for layer in self.layers
            ],
            "weights": self.weights,
            "connections": self.connections,
            "multiply_adds": self.multiply_adds,
        }

    def __str__(self) -> str:
        return format_table(self)


def describe(
    layers: str | Architecture,
    input: str | Sequence[int] | None = None,
    *,
    padding: Padding = "valid",
    input_rate: float | None = None,
    time_axis: int = 0,
) -> Description:
    """Count the costs of the network that :func:`sigconv.notation.build` makes from ``layers`` without normalisation.

    Args:
        layers, input: see :func:`sigconv.notation.parse`.
        padding: of every convolution, see :func:`sigconv.notation.build`.
        input_rate: input samples per second, to give receptive fields and jumps in milliseconds too.
        time_axis: the axis that the rate belongs to; the first is time in waveforms and videos.

    Raises:
        UsageError: the string cannot be read or does not fit; the message names the layer and both numbers.
    """
    architecture = parse(layers, input)
    if input_rate is not None and not 0 < input_rate < math.inf:
        raise UsageError(f"input_rate is {input_rate}; it must be more than 0 samples a second")
    if not 0 <= time_axis < architecture.ndim:
        raise UsageError(f"time_axis is {time_axis}; {by_x(architecture.input)} has axes 0 to {architecture.ndim - 1}")
    field = ReceptiveField.of_input(architecture.ndim)
    rows = [LayerDescription(0, "input", architecture.input, 0, 0, 0, field.size, field.jump)]
    for stage in architecture.stages(padding):
        field = field.through(stage.window)
        seen = tuple(map(min, field.size, architecture.input[1:]))
        jump = () if stage.layer.gives_vector else field.jump
        rows.append(LayerDescription(stage.number, str(stage.layer), stage.gives, *_costs(stage), seen, jump))
    return Description(architecture, tuple(rows), input_rate, time_axis)


def _costs(stage: Stage) -> tuple[int, int, int]:
    """Weights, connections and multiply-adds.

    A map has one neuron, with a bias, that all its places share; in a locally connected layer each place has its own.
    """
    if stage.layer.maps is None:
        return 0, 0, 0
    inputs = stage.receives[0] * stage.window.places
    places = math.prod(stage.gives[1:])
    neurons = stage.maps * (places if stage.layer.kind == "L" else 1)
    return neurons * (inputs + 1), stage.maps * (inputs + 1) * places, stage.maps * inputs * places


def format_table(description: Description, width: int | None = None) -> str:
    """A table of at most ``width`` characters, the terminal's if None: a line per layer, then the sums.

    Where one table would be wider, costs and receptive fields are split into two, one below the other.
    """
    layers = description.layers
    names = {
        "": [str(layer.number) for layer in layers],
        "layer": [layer.text for layer in layers],
        "output": [by_x(layer.output) for layer in layers],
    }
    costs = {
        "weights": [_count(layer.weights) for layer in layers],
        "connections": [_count(layer.connections) for layer in layers],
        "multiply-adds": [_count(layer.multiply_adds) for layer in layers],
    }
    counts = description.weights, description.connections, description.multiply_adds
    sums = {"layer": "sum"} | dict(zip(costs, map(_count, counts), strict=True))
    fields, jumps = [layer.receptive_field for layer in layers], [layer.jump for layer in layers]
    views = {"field": [by_x(field) for field in fields], "jump": [by_x(jump) for jump in jumps]}
    if description.input_rate:
        views["field ms"] = [_duration(description.milliseconds(field)) for field in fields]
        views["jump ms"] = [_duration(description.milliseconds(jump)) for jump in jumps]
    tables = [_table(names | costs | views, sums)]
    if max(map(len, tables[0].splitlines())) > (width or shutil.get_terminal_size().columns):
        tables = [_table(names | costs, sums), _table(names | views)]
    caption = "field: input samples that one place sees; jump: from one place to the next"
    return "\n\n".join([*tables, caption])


def _table(columns: Mapping[str, Sequence[str]], sums: Mapping[str, str] | None = None) -> str:
    foot = [sums.get(title, "") for title in columns] if sums else ()
    return str(Table([*columns], [*zip(*columns.values(), strict=True)], left=2, foot=foot))


def _count(number: int) -> str:
    return f"{number:,}" if number else ""


def _duration(milliseconds: float | None) -> str:
    return "" if milliseconds is None else f"{milliseconds:,.4g}"
