"""The layers of a network, by name, and their outputs for an input."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd as TorchConv

from sigconv.blocks import ConvBlock, LocallyConnected
from sigconv.errors import UsageError
from sigconv.hooks import hooked
from sigconv.layers import AvgPool, Conv, ConvTranspose, MaxPool
from sigconv.names import named
from sigconv.nets.neocognitron import CCells, SCells
from sigconv.planner import use_kernel

POOLING = (MaxPool, AvgPool)
LAYERS = (ConvBlock, Conv, ConvTranspose, LocallyConnected, SCells, CCells, TorchConv, *POOLING)


def layer_names(network: nn.Module) -> list[str]:
    """The layers that have maps, in the network's order of modules: whole blocks, and what is in no block, with
    pooling."""
    return list(_names(network, ""))


def is_pooling(network: nn.Module, layer: str) -> bool:
    """Whether a layer has no weights, but gives the maxima or means of the maps of the layer before."""
    return isinstance(network.get_submodule(layer), POOLING)


def _names(module: nn.Module, name: str) -> Iterator[str]:
    if isinstance(module, LAYERS):
        yield name
        return
    for child_name, child in module.named_children():
        yield from _names(child, f"{name}.{child_name}" if name else child_name)


@torch.no_grad()
def trace(network: nn.Module, x: Tensor) -> dict[str, Tensor]:
    """The output of every layer for x, (batch, maps, \\*places), in the order of computation.

    For a layer that is used several times, only its first output counts, here and elsewhere.
    """
    found: dict[str, Tensor] = {}
    with _watching(
        network, layer_names(network), lambda name, y: found.setdefault(name, _per_example(y, len(x)).clone())
    ):
        network(x.clone())  # which it may change in place
    return found


def activity(network: nn.Module, layer: str, x: Tensor) -> Tensor:
    """The output of one layer for x: (batch, maps, \\*places). Nothing after it is computed.

    If the network processes the frames of a video one by one, time is the first of the places' axes.

    Raises:
        UsageError: the network has no such layer, or does not use it.
    """
    reached: list[Tensor] = []

    def stop(name: str, y: Tensor) -> None:
        reached.append(y)
        raise _ReachedError

    try:
        with _watching(network, [layer], stop):
            network(x.clone())  # which it may change in place
    except _ReachedError:
        return _per_example(reached[0], len(x))
    raise UsageError(f"layer {layer!r} takes no part in what the network computes")


class _ReachedError(Exception):
    """The layer has been computed, and nothing more is needed."""


@contextmanager
def _watching(network: nn.Module, layers: Sequence[str], see: Any) -> Iterator[None]:
    """Calls ``see(name, output)`` for each layer; the network runs one operation after the other, as torch would.

    Every ReLU and every pooling can thus be observed, or differentiated by another rule.
    """
    modules = {name: network.get_submodule(name) for name in layer_names(network)}
    hooks = {named("layer", layer, modules): lambda _, __, y, layer=layer: see(layer, y) for layer in layers}
    with hooked(hooks), use_kernel("vendor"):
        yield


def _per_example(y: Tensor, batch: int) -> Tensor:
    return y if len(y) == batch else y.unflatten(0, (batch, -1)).transpose(1, 2)
