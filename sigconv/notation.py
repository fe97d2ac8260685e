"""The architecture language: "1x28x28-20C4-MP2-40C5-MP3-150N-10N" and the network that it stands for.

A network is its input and its layers, joined by dashes. The input is channels x sizes, with a size for each axis:
1x16000 is a waveform, 3x32x32 a picture in colour, 1x75x40x80 a video of 75 frames. The layers are

    20C4        convolution to 20 maps, kernel 4 along every axis, connected to all maps before
    64C5x7x7    with a kernel for each axis
    20C5/2      with a stride, which is 1 where none is written; 64C5x7x7/1x2x2 has one for each axis
    20L5        locally connected: windows as those of 20C5, each with weights of its own
    MP2, AP2    maximum and average pooling, windows side by side; MP1x3x3 has a size for each axis
    MP3/2       with a stride; MP1x3x3/1x2x2 has one for each axis
    GMP, GAP    global pooling: the maximum or the mean of each map
    150N        150 neurons, connected to all that is before
    N           the last layer only: as many neurons as there are classes

Global pooling and neurons give a vector, so only neurons may follow. The input is layer 0: in the network above MP3 is
layer 4. Capitals and blanks around dashes make no difference.

The notation is that of Ciresan, Meier & Schmidhuber, "Multi-column deep neural networks for image classification",
CVPR 2012; local connection, average and global pooling, strides and a size for each axis are added.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from sigconv.architecture import SLIDING, Architecture, Layer, Stage, times
from sigconv.blocks import ConvBlock, Flatten, Fold, Linear, LocallyConnected, chain, make_activation, make_norm
from sigconv.errors import UsageError
from sigconv.layers import AdaptiveAvgPool, AdaptiveMaxPool, AvgPool, MaxPool
from sigconv.window import Padding, Sizes, padding_of, per_axis

EXAMPLE = "1x28x28-20C4-MP2-40C5-MP3-150N-10N"

_PRINTED = str.maketrans({0x2013: "-", 0x2212: "-", 0xD7: "x"})  # papers have long dashes and real crosses
_SIZES = "[0-9]+(?:x[0-9]+)*"
_LAYER = re.compile(f"(?P<maps>[0-9]+)?(?P<kind>[a-wyz]+)(?P<kernel>{_SIZES})?(?:/(?P<stride>{_SIZES}))?")


@dataclass(frozen=True)
class _Form:
    """How a kind of layer is written: an example, and whether it has maps before and a window after its letters."""

    what: str
    example: str
    has_maps: bool
    has_window: bool


_FORMS = {
    "C": _Form("a convolution", "20C5, 20C5x3 or 20C5/2 (maps C kernel / stride)", True, True),
    "L": _Form("a locally connected layer", "20L5, 20L5x3 or 20L5/2 (maps L kernel / stride)", True, True),
    "MP": _Form("maximum pooling", "MP2, MP2x3 or MP3/2 (MP size / stride)", False, True),
    "AP": _Form("average pooling", "AP2, AP2x3 or AP3/2 (AP size / stride)", False, True),
    "GMP": _Form("global maximum pooling", "GMP", False, False),
    "GAP": _Form("global average pooling", "GAP", False, False),
    "N": _Form("a layer of neurons", "150N (the last layer may be N, one for each class)", True, False),
}


def parse(
    layers: str | Architecture,
    input: str | Sequence[int] | None = None,
    *,
    classes: int | None = None,
    ndim: int | None = None,
) -> Architecture:
    """Read an architecture string.

    Args:
        layers: such as "1x28x28-20C4-MP2-40C5-MP3-150N-10N"; an Architecture stands for its string.
        input: "1x28x28" or (1, 28, 28), where ``layers`` does not begin with it. If both are there they must agree.
        classes: how many neurons the last layer has where it is written N, without a number.
        ndim: how many axes to convolve over, the last ones; those before are folded into the channels, so that
            1x40x101 with ndim=1 is 40x101. All axes if None.

    Raises:
        UsageError: naming the layer, what is wrong with it and how it is written.
    """
    first, *rest = tokens = [token.strip() for token in str(layers).translate(_PRINTED).split("-")]
    begins_with_input = re.fullmatch("[0-9x]+", first, re.IGNORECASE) is not None
    shape = _agreed(first if begins_with_input else None, input, first, ndim)
    written = rest if begins_with_input else tokens
    if not any(written):
        raise UsageError(f"there are no layers in {str(layers)!r}; an example with six is {EXAMPLE}")
    if written[-1].upper() == "N":
        written = [*written[:-1], _output(classes, f"layer {len(written)}, {written[-1]!r}")]
    parsed: list[Layer] = []
    for number, token in enumerate(written, start=1):
        layer = _parse_layer(token, f"layer {number}, {token!r}", len(shape) - 1)
        if parsed and parsed[-1].gives_vector and layer.kind != "N":
            raise UsageError(
                f"layer {number}, {layer}, receives a vector from layer {number - 1}, {parsed[-1]}; it needs maps, "
                "so only neurons may follow there"
            )
        parsed.append(layer)
    return Architecture(shape, tuple(parsed))


def build(
    layers: str | Architecture,
    input: str | Sequence[int] | None = None,
    *,
    classes: int | None = None,
    activation: str | None = "relu",
    norm: str | None = None,
    dropout: float = 0.0,
    padding: Padding = "valid",
    causal: bool = False,
    ndim: int | None = None,
) -> nn.Sequential:
    """The network that ``layers`` stands for: ([batch,] channels, \\*size) -> ([batch,] neurons).

    The batch axis may be left out only without batch normalisation and layers L. Every convolution and layer of neurons
    but the network's last layer is followed by normalisation and activation.
    Each layer is a module named by its number and text, so parameters are "1_20C4.conv.weight", "5_150N.linear.bias".

    Args:
        layers, input, ndim: see :func:`parse`. With ``ndim`` the network needs the batch axis, and begins with a module
            "fold".
        classes: how many outputs the network must have, where that is known: then the string ends in N, or in that many
            neurons.
        activation: "relu", "gelu", "silu", "sigmoid", "tanh", "scaled_tanh" or None.
        norm: "batch", "layer" (over maps and places) or None.
        dropout: share of the hidden activations that is dropped before each layer of neurons, in training.
        padding: of every convolution; a number, a (before, after) pair, "valid", "same", "causal", or one of these for
            each axis: ("causal", "same", "same") is video that never looks into the future. Pooling has none.
        causal: whether the first axis, time, has "causal" padding, whatever ``padding`` says. Pooling is unchanged: it
            does not look ahead where its windows span one sample of time.

    Raises:
        UsageError: the string cannot be read or does not fit; the message names the layer and both numbers.
    """
    if not 0 <= dropout < 1:
        raise UsageError(f"dropout is {dropout}; it is the share of numbers to drop, at least 0 and less than 1")
    architecture = parse(layers, input, classes=classes, ndim=ndim)
    stages = architecture.stages(padding_of(padding, architecture.ndim, causal=causal))
    last = stages[-1]
    if classes is not None and last.gives != (classes,):
        raise UsageError(f"{last}, gives {times(last.gives)} but there are {classes} classes; end in {classes}N")
    hidden = {f"{s.number}_{s.layer}": _module(s, norm, activation, dropout) for s in stages[:-1]}
    output = {f"{last.number}_{last.layer}": _module(last, None, None, dropout)}
    return chain(fold=None if ndim is None else Fold(ndim), **hidden, **output)


def _module(stage: Stage, norm: str | None, activation: str | None, dropout: float) -> nn.Module:
    window = stage.window
    match stage.layer.kind:
        case "C":
            return ConvBlock(
                stage.receives[0],
                stage.maps,
                window.kernel,
                stride=window.stride,
                padding=window.padding,
                norm=norm,
                activation=activation,
            )
        case "L":
            local = LocallyConnected(
                stage.receives[0], stage.maps, stage.receives[1:], window.kernel, window.stride, window.padding
            )
            return chain(local=local, norm=make_norm(norm, stage.maps), activation=make_activation(activation))
        case "MP":
            return MaxPool(window.kernel, window.stride)
        case "AP":
            return AvgPool(window.kernel, window.stride)
        case "GMP":
            return chain(pool=AdaptiveMaxPool(1, ndim=window.ndim), flatten=Flatten((stage.maps, *[1] * window.ndim)))
        case "GAP":
            return chain(pool=AdaptiveAvgPool(1, ndim=window.ndim), flatten=Flatten((stage.maps, *[1] * window.ndim)))
        case _:
            normalise = make_norm(norm, stage.maps)
            return chain(
                flatten=Flatten(stage.receives) if len(stage.receives) > 1 else None,
                dropout=nn.Dropout(dropout) if dropout and stage.number > 1 else None,
                linear=Linear(math.prod(stage.receives), stage.maps, bias=normalise is None),
                norm=normalise,
                activation=make_activation(activation),
            )


def _parse_layer(token: str, owner: str, ndim: int) -> Layer:
    match = _LAYER.fullmatch(token.lower())
    kind = match["kind"].upper() if match else ""
    if match is None or kind not in _FORMS:
        raise UsageError(
            f"{owner}, is not a layer; there are 20C5 (convolution: maps C kernel), 20L5 (without sharing), "
            f"MP2 and AP2 (pooling), GMP and GAP (global pooling) and 150N (neurons), as in {EXAMPLE}"
        )
    form = _FORMS[kind]
    has_stray_stride = match["stride"] and not match["kernel"]
    if (bool(match["maps"]), bool(match["kernel"])) != (form.has_maps, form.has_window) or has_stray_stride:
        raise UsageError(f"{owner}, is not a layer: {form.what} is written {form.example}")
    maps = int(match["maps"]) if form.has_maps else None
    if maps == 0:
        raise UsageError(f"{owner}: 0 {'neurons' if kind == 'N' else 'maps'}; there must be at least 1")
    if not form.has_window:
        return Layer(kind, maps)
    kernel = per_axis(_numbers(match["kernel"]), ndim, 1, "kernel", owner)
    usual = (1,) * ndim if kind in SLIDING else kernel
    stride = per_axis(_numbers(match["stride"]), ndim, 1, "stride", owner) if match["stride"] else usual
    return Layer(kind, maps, kernel, stride)


def _output(classes: int | None, owner: str) -> str:
    if classes is None:
        raise UsageError(f"{owner}: as many neurons as there are classes, which is not known here; write it, as in 10N")
    return f"{classes}N"


def _agreed(written: str | None, given: str | Sequence[int] | None, first: str, ndim: int | None) -> Sizes:
    """The input's shape after folding, from the string, from the argument, or from both."""
    shapes = [parse_input(value) for value in (written, given) if value is not None]
    if ndim is not None:
        shapes = [Fold(ndim).folded(shape) for shape in shapes]
    if not shapes:
        raise UsageError(
            f"the string begins with {first!r}, which is not an input; begin with one, as in {EXAMPLE}, or give it "
            'apart: input="1x28x28"'
        )
    if shapes[0] != shapes[-1]:
        raise UsageError(
            f"the string begins with the input {times(shapes[0])} but input={times(shapes[1])} is given; "
            "leave it out of the string, or make them equal"
        )
    return shapes[0]


def parse_input(value: str | Sequence[int]) -> Sizes:
    """(1, 28, 28) from "1x28x28", or from itself. Raises UsageError where it is not channels x sizes."""
    text = times(value) if isinstance(value, Sequence) and not isinstance(value, str) else str(value)
    if re.fullmatch(f"[0-9]+x{_SIZES}", text.strip().lower()) and all(shape := _numbers(text)):
        return shape
    raise UsageError(
        f"the input {text!r} must be channels x sizes, a size of 1 or more for each axis: 1x28x28 is a picture, "
        "1x16000 a waveform, 1x75x40x80 a video, 1x784 a vector"
    )


def _numbers(text: str) -> Sizes:
    return tuple(map(int, text.lower().split("x")))
