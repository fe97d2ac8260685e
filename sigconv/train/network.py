"""Features and network from a config, for the signals that they are to take."""

from collections.abc import Callable
from typing import Any

import torch
from omegaconf import DictConfig
from torch import Tensor, nn

from sigconv.architecture import times
from sigconv.errors import UsageError
from sigconv.train.instantiate import instantiate

Make = Callable[..., Any]


def build_network(
    config: DictConfig, signal: Tensor, classes: int, make: Make = instantiate
) -> tuple[nn.Module, nn.Module]:
    """The modules under `features`, raw signals (B, *shape) -> what the network sees, and under `model`, -> logits.

    Args:
        config: of a run. `model` is a function of `input`, the shape of the features without the batch, and `classes`.
        signal: (*shape), one raw signal.
        make: from a config to what it describes.

    Raises UsageError where the network does not take the features, or has not as many outputs as there are classes.
    """
    features = make(config.features)
    seen = output_shape(features, signal)
    model = make(config.model, input=seen, classes=classes)
    outputs = output_shape(model, torch.zeros(seen))
    if outputs != (classes,):
        raise UsageError(f"The network gives {times(outputs)} outputs, but there are {classes} classes.")
    return features, model


def first_weights(model: nn.Module) -> Tensor | None:
    """Those of its first layer, without a gradient; None for a network that has no layer."""
    return next((weight.detach() for weight in model.parameters() if weight.ndim > 1), None)


@torch.no_grad()
def output_shape(module: nn.Module, one: Tensor) -> tuple[int, ...]:
    """The shape of the module's output for one input, in evaluation, without the batch."""
    training = module.training
    output = module.eval()(one[None])
    module.train(training)
    return tuple(output.shape[1:])
