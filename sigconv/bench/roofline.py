"""How fast a pass could be on this machine: the roofline of Williams, Waterman & Patterson, 2009, measured."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn

from sigconv.bench.contestant import Contestant, Setting
from sigconv.hooks import hooked

SIZES = {"cpu": (512, 1024, 2048), "cuda": (2048, 4096, 8192)}  # of the matrices
COPIED = 1 << 28  # bytes, far beyond any cache
TRIES = 3


@dataclass(frozen=True)
class Rates:
    """The machine's rates: floating-point operations and bytes per second."""

    flops: float
    bandwidth: float


@dataclass(frozen=True)
class Work:
    """The work of a pass: floating-point operations, and the least bytes that must be read and written.

    Convolutions and layers of neurons count by their definition, a multiplication and an addition for each product;
    nothing else counts.
    """

    flops: int
    bytes: int

    def seconds(self, rates: Rates) -> float:
        """The least time that the machine needs."""
        return max(self.flops / rates.flops, self.bytes / rates.bandwidth)


def measure_rates(setting: Setting, wait: Callable[[], object]) -> Rates:
    """The best of several matrix products, and of several copies."""
    sizes = SIZES[setting.device.type]
    return Rates(
        max(2 * n**3 / min(_seconds(product, wait) for product in _products(n, setting)) for n in sizes),
        2 * COPIED / _seconds(_copy(setting.device), wait),
    )


def _products(n: int, setting: Setting) -> Iterator[Callable[[], object]]:
    """A product of two matrices, and the same as a convolution of size 1: these may use different libraries."""
    a, b = (torch.randn(n, n, device=setting.device).to(setting.dtype) for _ in range(2))
    picture = a.T.reshape(1, n, n, 1).contiguous(memory_format=torch.channels_last)
    weight = b.reshape(n, n, 1, 1).contiguous(memory_format=torch.channels_last)
    yield lambda: torch.mm(a, b)
    yield lambda: nn.functional.conv2d(picture, weight)


def _copy(device: torch.device) -> Callable[[], object]:
    source, target = (torch.ones(COPIED // 4, device=device) for _ in range(2))
    return lambda: target.copy_(source)


@torch.no_grad()
def _seconds(call: Callable[[], object], wait: Callable[[], object]) -> float:
    call()
    taken = []
    for _ in range(TRIES):
        wait()
        start = perf_counter()
        call()
        wait()
        taken.append(perf_counter() - start)
    return min(taken)


def count_work(contestant: Contestant) -> tuple[Work, Work]:
    """The work of a forward pass and of a step.

    Both passes move input, output and parameters once, the backward pass as gradients; data get no gradient.
    """
    flops: list[tuple[int, int]] = []
    x, kinds = contestant.x, (nn.Linear, nn.modules.conv._ConvNd)

    def add(layer: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        """Counted here since torch's FlopCounterMode counts a grouped convolution's backward pass as if ungrouped."""
        places = inputs[0] if getattr(layer, "transposed", False) else output
        once = 2 * places.numel() * layer.weight[0].numel()
        flops.append((once, once * (3 if inputs[0].requires_grad else 2)))

    with hooked({layer: add for layer in contestant.network.modules() if isinstance(layer, kinds)}):
        y = contestant.network(x)
    moved = _bytes(x) + _bytes(y) + sum(map(_bytes, contestant.parameters))
    again = moved if x.requires_grad else moved - _bytes(x)
    return Work(sum(once for once, _ in flops), moved), Work(sum(step for _, step in flops), moved + again)


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()
