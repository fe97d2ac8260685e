"""Swapping the parts of a network."""

from collections.abc import Callable

from torch import nn


def swapped(network: nn.Module, swap: Callable[[nn.Module], nn.Module]) -> nn.Module:
    """``network`` with ``swap(part)`` in place of each part, innermost first, and of itself; changed in place."""
    for name, part in network._modules.items():
        if part is not None:
            network._modules[name] = swapped(part, swap)
    return swap(network)
