"""What training a network of the architecture language takes on this machine, from the time of a few batches."""

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from sigconv.clock import idle, interleaved
from sigconv.errors import UsageError
from sigconv.notation import build, parse
from sigconv.notation.architecture import Architecture
from sigconv.notation.describe import describe
from sigconv.processor import device_name
from sigconv.table import Table
from sigconv.words import plural

SECONDS = 4.0  # for which each device is measured
UNITS = (
    ("years", 365.25 * 86400),
    ("months", 365.25 / 12 * 86400),
    ("days", 86400),
    ("h", 3600),
    ("min", 60),
    ("s", 1),
)


@dataclass(frozen=True)
class DeviceCost:
    """Medians on one device: seconds per sample, in a forward pass without gradients and in a training step."""

    device: str
    forward: float
    training: float
    spread: float
    """The larger interquartile range, relative to its median."""


@dataclass(frozen=True)
class Cost:
    """``print`` shows it as a table."""

    architecture: str
    weights: int
    multiply_adds: int
    samples: int
    epochs: int
    batch: int
    devices: tuple[DeviceCost, ...]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def __str__(self) -> str:
        rows = []
        for device in self.devices:
            for what, seconds in (("forward", device.forward), ("training", device.training)):
                epoch = seconds * self.samples
                cells = (device.device, what, _short(seconds), duration(epoch), duration(epoch * self.epochs))
                rows.append((*cells, f"{device.spread:.0%}"))
        size, epochs = plural(self.samples, "sample"), plural(self.epochs, "epoch")
        header = ("device", "pass", "a sample", size, epochs, "spread")
        head = f"{self.architecture}: {self.weights:,} weights, {self.multiply_adds:,} multiply-adds a sample forward"
        return f"{head}; batches of {self.batch}, float32\n\n{Table(header, rows)}"


def cost(architecture: str | Architecture, samples: int, epochs: int = 1, batch: int = 32) -> Cost:
    """Measure forward passes and training steps on the CPU, and on the GPU where there is one.

    A training step is forward, backward and an update by momentum; ReLU follows each hidden layer.

    Args:
        samples: samples in an epoch.

    Raises:
        UsageError: the string cannot be read, a number is less than 1, or memory does not suffice.
    """
    for name, number in (("samples", samples), ("epochs", epochs), ("batch", batch)):
        if number < 1:
            raise UsageError(f"cost: {name} is {number}; it must be at least 1")
    parsed = parse(architecture)
    counts = describe(parsed)
    devices = ["cpu"] + ["cuda"] * torch.cuda.is_available()
    try:
        measured = tuple(_measure(parsed, batch, torch.device(device)) for device in devices)
    except RuntimeError as error:
        if "memory" not in str(error):
            raise
        raise UsageError(f"cost: memory does not suffice for {batch:,} samples at a time; take fewer") from error
    return Cost(str(parsed), counts.weights, counts.multiply_adds, samples, epochs, batch, measured)


def duration(seconds: float) -> str:
    """Seconds as text, in the largest unit that fits at least twice: 108 s as "108 s", 97,200 s as "27 h"."""
    name, size = next(((name, size) for name, size in UNITS if seconds >= 2 * size), UNITS[-1])
    return f"{seconds / size:.2g} {name}" if seconds < 100 * size else f"{seconds / size:,.0f} {name}"


def _measure(architecture: Architecture, batch: int, device: torch.device) -> DeviceCost:
    network = build(architecture).to(device)
    x = torch.randn(batch, *architecture.input, device=device)
    with torch.no_grad():
        outputs = network(x)
    if outputs.ndim != 2:
        raise UsageError(f"cost: {architecture} ends in maps, which are not trained; add neurons, as in -10N, or GAP")
    if not list(network.parameters()):
        raise UsageError(f"cost: {architecture} has no weights to train; add neurons, as in -10N")
    target = torch.arange(batch, device=device) % outputs.shape[1]
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3, momentum=0.9)

    def forward() -> Tensor:
        with torch.no_grad():
            return network(x)

    def step() -> None:
        optimizer.zero_grad()
        F.cross_entropy(network(x), target).backward()
        optimizer.step()

    times = interleaved({"forward": forward, "training": step}, SECONDS, idle(device))
    spread = max(timing.spread for timing in times.values())
    name = device_name(device) + (f", {plural(torch.get_num_threads(), 'thread')}" if device.type == "cpu" else "")
    return DeviceCost(name, times["forward"].median / batch, times["training"].median / batch, spread)


def _short(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds >= 1 else f"{seconds * 1e3:.3g} ms"
