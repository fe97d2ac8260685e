"""Builds the features and the network of a config, for given signals."""

from collections.abc import Callable
from typing import Any

import torch
from omegaconf import DictConfig
from torch import Tensor, nn

from sigconv.errors import UsageError
from sigconv.train.instantiate import instantiate
from sigconv.words import by_x

Make = Callable[..., Any]


def build_network(
    config: DictConfig, signal: Tensor, classes: int, make: Make = instantiate, *, sequence: bool = False
) -> tuple[nn.Module, nn.Module]:
    """Builds `features`, raw signals (B, *shape) -> input of the network, and `model`, which turns that into logits.

    Args:
        config: of a run. `model` takes `input`, the shape of the features without the batch axis, and `classes`.
        signal: (*shape), one raw signal.
        classes: number of classes or, for a `sequence`, of tokens.
        make: builds what a config describes.
        sequence: the logits are (B, classes, T), one set for each of T frames, instead of (B, classes).

    Raises UsageError if the network does not accept the features, or has other outputs than these.
    """
    features = make(config.features)
    seen = output_shape(features, signal)
    model = make(config.model, input=seen, classes=classes)
    outputs = output_shape(model, torch.zeros(seen))
    if len(outputs) != 1 + sequence:
        raise UsageError(_wrong_kind(outputs, sequence))
    if outputs[0] != classes:
        wanted = f"{classes} tokens, the blank among them" if sequence else f"{classes} classes"
        raise UsageError(f"The network gives {by_x(outputs)} outputs, but there are {wanted}.")
    return features, model


def _wrong_kind(outputs: tuple[int, ...], sequence: bool) -> str:
    if sequence:
        return (
            f"Sentences need an answer for each frame, tokens x frames, and the network gives {by_x(outputs)}: choose "
            "another, such as model=lipnet, and sequence=true."
        )
    return (
        f"The network gives {by_x(outputs)} outputs, but one answer for each signal is wanted: end it in N, or, where "
        "there is the option, choose sequence=false."
    )


def network_name(config: DictConfig) -> str:
    """The architecture string, or the name of the function that makes the network."""
    return config.model.get("layers") or config.model["_target_"].rsplit(".", 1)[-1]


@torch.no_grad()
def output_shape(module: nn.Module, one: Tensor) -> tuple[int, ...]:
    """The shape of the module's output for one input, in evaluation mode, without the batch axis."""
    training = module.training
    output = module.eval()(one[None])
    module.train(training)
    return tuple(output.shape[1:])
