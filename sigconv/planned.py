"""The plan in words: which kernel computes each direction of each layer, and why."""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from sigconv import planner
from sigconv.errors import UsageError, first_line
from sigconv.geometry import Geometry, transposed_geometry
from sigconv.kernels.problem import CONVOLUTION, Problem
from sigconv.layers import AvgPool, Conv, ConvTranspose, MaxPool
from sigconv.table import Table
from sigconv.window import Sizes

Layer = Conv | ConvTranspose | MaxPool | AvgPool


@dataclass(frozen=True)
class Step:
    """One operation of one layer; ``layer`` is its name in the module, "" for the module itself."""

    layer: str
    operation: str
    kernel: str
    because: str


@dataclass(frozen=True)
class Plan:
    """Print it to read it."""

    steps: tuple[Step, ...]

    def __str__(self) -> str:
        if not self.steps:
            return "There is no convolution or pooling of sigconv's; sigconv.convert(module) swaps torch's for them."
        rows = [(step.layer or "-", step.operation, step.kernel, step.because) for step in self.steps]
        return str(Table(("layer", "operation", "kernel", "because"), rows, left=4))


def plan(
    module: nn.Module,
    shape: Sequence[int],
    *,
    dtype: torch.dtype = torch.float32,
    device: str = "cpu",
    channels_last: bool = True,
) -> Plan:
    """Which kernel would compute each convolution and pooling in ``module``, given a batch of this shape, and why.

    >>> print(sigconv.plan(sigconv.Conv1d(256, 256, 9, groups=256), (8, 256, 1000)))

    Nothing is computed. Layers that a :class:`sigconv.blocks.ConvBlock` fuses into one operation are listed separately,
    and adaptive pooling is not listed.

    Args:
        shape: (batch, channels, \\*size)
        device: such as "cpu" or "cuda".
        channels_last: whether signals have their channels innermost when they reach the layers.

    Raises:
        UsageError: the module cannot take such a batch.
    """
    steps: list[Step] = []
    try:
        kind = torch.device(device).type
    except RuntimeError as error:
        raise UsageError(f"plan: {first_line(error)}") from None

    def note(name: str, layer: Layer, inputs: tuple[Tensor, ...], named: dict[str, Tensor]) -> None:
        x = inputs[0] if inputs else named["input"]
        for operation, geometry, channels in _problems(layer, x):
            winners = torch.uint8 if operation == "route" else None
            choice = planner.choose(
                Problem(operation, geometry, x.shape[0], *channels, dtype, kind, channels_last, True, winners)
            )
            steps.append(Step(name, operation, *choice))

    twin = copy.deepcopy(module).to(device="meta", dtype=dtype)
    for name, layer in twin.named_modules():
        if isinstance(layer, Layer):
            layer.register_forward_pre_hook(partial(note, name), with_kwargs=True)
    try:
        with torch.no_grad():
            twin(torch.empty(tuple(shape), dtype=dtype, device="meta"))
    except (RuntimeError, ValueError) as error:
        what = f"{type(module).__name__} cannot take a batch of shape {tuple(shape)}"
        raise UsageError(f"plan: {what}: {error}") from None
    return Plan(tuple(steps))


def _problems(layer: Layer, x: Tensor) -> Iterator[tuple[str, Geometry, tuple[int, int]]]:
    """The layer's operations: the name, the geometry and the convolution's (in channels, out channels) of each."""
    size: Sizes = tuple(x.shape[2:])
    if len(size) != layer.window.ndim:
        axes = f"{layer.window.ndim} axes behind batch and channels"
        raise UsageError(f"{type(layer).__name__} takes signals of {axes}, and was given {tuple(x.shape)}")
    if isinstance(layer, Conv):
        geometry = Geometry(layer.window, size, layer.groups)
        yield from ((operation, geometry, (layer.in_channels, layer.out_channels)) for operation in CONVOLUTION)
    elif isinstance(layer, ConvTranspose):
        geometry, _ = transposed_geometry(layer.window, layer.output_padding, size, layer.groups)
        for operation in ("grad_input", "forward", "grad_weight"):
            yield operation, geometry, (layer.out_channels, layer.in_channels)
    else:
        window = layer.window.grown_to_ceil(size) if layer.ceil_mode else layer.window
        operations = ("max_pool", "route") if isinstance(layer, MaxPool) else ("sum_pool", "spread")
        yield from ((operation, Geometry(window, size), (x.shape[1], x.shape[1])) for operation in operations)
