"""From an architecture to the network that it stands for."""

import math
from collections.abc import Sequence

from torch import nn

from sigconv.blocks import (
    ConvBlock,
    Flatten,
    Fold,
    Linear,
    LocallyConnected,
    chain,
    check_causal,
    make_activation,
    make_norm,
)
from sigconv.errors import UsageError
from sigconv.layers import AdaptiveAvgPool, AdaptiveMaxPool, AvgPool, MaxPool
from sigconv.notation.architecture import Architecture, Stage
from sigconv.notation.language import parse
from sigconv.window import Padding, padding_of
from sigconv.words import by_x


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

    The batch axis may be left out only without normalisation and layers L. Every convolution and layer of neurons
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
        UsageError: the string cannot be read or does not fit; the message names the layer and both numbers. Or the norm
            is not causal, but the padding of the first axis is.
    """
    if not 0 <= dropout < 1:
        raise UsageError(f"dropout is {dropout}; it is the share of numbers to drop, at least 0 and less than 1")
    architecture = parse(layers, input, classes=classes, ndim=ndim)
    paddings = padding_of(padding, architecture.ndim, causal=causal)
    stages = architecture.stages(paddings)
    check_causal(norm, paddings[0] == "causal")
    last = stages[-1]
    if classes is not None and last.gives != (classes,):
        raise UsageError(f"{last}, gives {by_x(last.gives)} but there are {classes} classes; end in {classes}N")
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
