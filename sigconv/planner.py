"""Which kernel computes an operation, and why.

Each direction (forward, grad_input, grad_weight, ...) is decided separately. The kernel is that of the first rule of
:data:`sigconv.rules.RULES` that applies and whose kernel supports it; else the vendor's; else the definition.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from sigconv.differentiable import is_forward_mode
from sigconv.geometry import Geometry, PooledGeometry
from sigconv.kernels import (
    few_channels,
    fft,
    flipped,
    numba,
    overlap_add,
    padded,
    pointwise,
    reference,
    triton,
    vendor,
    winograd,
)
from sigconv.kernels.problem import OF_WINNERS, Problem, autocast_dtype, is_autocast, is_plain, is_traced
from sigconv.layout import is_batched, is_channels_last
from sigconv.names import known
from sigconv.remembered import remembered
from sigconv.rules import LEAST_FUSED, LEAST_PLANNED, LEAST_POOLED, RULES
from sigconv.window import Sizes, Window

KERNELS: dict[str, Any] = {
    "vendor": vendor,
    "numba": numba,
    "flipped": flipped,
    "fft": fft,
    "overlap_add": overlap_add,
    "few_channels": few_channels,
    "padded": padded,
    "pointwise": pointwise,
    "winograd": winograd,
    "triton": triton,
    "reference": reference,
}
"""All kernels by name. Each has ``supports(problem)``, a function for each operation that it supports, and ``DTYPES``.

Kernels whose results are not exact for whole numbers have ``EXACT = False``."""

ENVIRONMENT = "SIGCONV_KERNEL"


class Choice(NamedTuple):
    kernel: str
    because: str


class Settings(NamedTuple):
    """What a choice depends on besides the problem."""

    forced: str | None
    threads: int


def _settings() -> Settings:
    # To compilers, which are given no kernel that depends on it, the number of threads is not a constant.
    return Settings(_forced, 1 if torch.compiler.is_compiling() else torch.get_num_threads())


def kernel(operation: str, geometry: Geometry, operands: tuple[Tensor | None, ...]) -> Callable[..., Any]:
    """The function that computes ``operation`` on such operands."""
    chosen = choose(Problem.of(operation, geometry, operands)).kernel
    for used in _observers:
        used.add((chosen, operation))
    return getattr(KERNELS[chosen], operation)


def choose(problem: Problem) -> Choice:
    """The kernel that is forced, or else that of the first rule that applies."""
    return _search(problem, _settings())


def is_forced() -> bool:
    """Whether one kernel is forced for all operations."""
    return _forced is not None


def is_native(geometry: Geometry, x: Tensor, w: Tensor) -> bool:
    """Whether the vendor computes a convolution in all directions, so that torch's own autograd can be used.

    That saves the overhead of our own Function, which dominates for small signals, and is what compilers handle best.
    """
    if _forced is not None:
        return False
    if is_traced() or x.numel() < LEAST_PLANNED:
        return geometry.window.ndim in vendor.RANKS and not _has_unsafe_gradient(geometry.window, x.shape[1], x)
    form = x.shape[0], x.shape[1], w.shape[0], x.dtype, x.device.type, is_channels_last(x), is_plain((x, w))
    wants = torch.is_grad_enabled()
    wanted = wants and x.requires_grad, wants and w.requires_grad
    return _vendor_serves(geometry, form, wanted, _settings())


def is_native_transposed(window: Window, x: Tensor, out_channels: int) -> bool:
    """The same for a transposed convolution, where the vendor pads both sides equally."""
    if _forced is not None or window.ndim not in vendor.RANKS or window.is_padded_unevenly:
        return False
    return not _has_unsafe_gradient(window, out_channels, x)


def _has_unsafe_gradient(window: Window, in_channels: int, x: Tensor) -> bool:
    """Whether the vendor's weight gradient cannot be trusted and may be needed, as it is not while tracing."""
    return not torch.jit.is_tracing() and vendor.has_unsafe_grad_weight(window, in_channels, x.device.type)


def is_native_pooling(operation: str, geometry: Geometry, x: Tensor) -> bool:
    """The same for pooling."""
    if _forced is not None:
        return False
    if not torch.compiler.is_compiling() and x.numel() >= (LEAST_POOLED if is_channels_last(x) else LEAST_PLANNED):
        return choose(Problem.of(operation, geometry, (x,))).kernel == "vendor"
    return vendor.supports_pooling(operation, geometry)


def is_ours(operation: str, geometry: Geometry, x: Tensor) -> bool:
    """Whether one of our own kernels computes an operation on x; they do not support forward mode."""
    if torch.compiler.is_compiling() or is_forward_mode():
        return False
    return _is_ours(Problem.of(operation, geometry, (x,)), _settings())


def has_fused_pool(operation: str, window: Window, pool: Window, x: Tensor, channels: int) -> bool:
    """Whether one kernel fuses max pooling with the step before it, for x convolved by ``window`` to this number of
    ``channels``."""
    if torch.compiler.is_compiling() or (_forced is None and x.numel() * channels < LEAST_FUSED // 4 * x.shape[1]):
        return False  # too few, unless padding makes four times as many; not fusing is always right
    if not is_plain((x,)) or is_batched(x):
        return False
    dtype = autocast_dtype(x) if is_autocast(x) else x.dtype
    return _fuses(operation, window, pool, x.shape, channels, dtype, x.device.type, _settings())


@remembered
def _fuses(
    operation: str,
    window: Window,
    pool: Window,
    shape: Sizes,
    channels: int,
    dtype: torch.dtype,
    device: str,
    settings: Settings,
) -> bool:
    geometry = Geometry(pool, window.output_size(shape[2:]))
    if min(geometry.size) < 1 or min(geometry.output_size) < 1 or pool.blind_axis(geometry.size) is not None:
        return False
    problem = Problem(operation, geometry, shape[0], channels, channels, dtype, device, True, True)
    return (problem.inputs >= LEAST_FUSED or settings.forced is not None) and _is_ours(problem, settings)


def has_gradients_of_winners(geometry: PooledGeometry, x: Tensor, w: Tensor) -> bool:
    """Whether kernels of ours take a pooled map's gradient through the convolution before it, where it is needed."""
    if not torch.is_grad_enabled() or not (x.requires_grad or w.requires_grad):
        return False
    return _takes_winners(Problem.of("forward", geometry, (x, w)), x.requires_grad, w.requires_grad, _settings())


@remembered
def _takes_winners(seen: Problem, by_input: bool, by_weight: bool, settings: Settings) -> bool:
    wanted = ["grad_input"] * by_input + ["grad_weight"] * by_weight
    return all(_is_ours(replace(seen, operation=name + OF_WINNERS, winners=torch.uint8), settings) for name in wanted)


def _is_ours(problem: Problem, settings: Settings) -> bool:
    return _search(problem, settings).kernel not in ("vendor", "reference")


@contextmanager
def use_kernel(name: str | None) -> Iterator[None]:
    """Within this context, compute every operation that the kernel ``name`` supports with it; None forces no kernel.

    This applies to all threads of the process, as the environment variable SIGCONV_KERNEL does from the start, so two
    threads must not both choose a kernel.
    """
    global _forced
    before, _forced = _forced, None if name is None else known("kernel", name, KERNELS)
    try:
        yield
    finally:
        _forced = before


@contextmanager
def observed() -> Iterator[set[tuple[str, str]]]:
    """Record which (kernel, operation) pairs are used within this context; torch's own autograd is not seen."""
    used: set[tuple[str, str]] = set()
    _observers.append(used)
    try:
        yield used
    finally:
        _observers.remove(used)


_observers: list[set[tuple[str, str]]] = []


@remembered
def _search(problem: Problem, settings: Settings) -> Choice:
    forced = settings.forced
    if forced is not None and KERNELS[known("kernel", forced, KERNELS)].supports(problem):
        return Choice(forced, "it is forced")
    if forced is None and problem.plain:
        for rule in RULES:
            if rule.applies(problem) and KERNELS[rule.kernel].supports(problem):
                return Choice(rule.kernel, rule.because)
    if forced != "reference" and vendor.supports(problem):
        return Choice("vendor", "no kernel here is known to be faster")
    return Choice("reference", "the vendor has no kernel for this")


@remembered
def _vendor_serves(geometry: Geometry, form: tuple[Any, ...], wanted: tuple[bool, bool], settings: Settings) -> bool:
    """Whether the vendor computes a convolution and those of its input and weight gradients that are wanted."""
    forward = Problem("forward", geometry, *form)
    if vendor.has_unsafe_grad_weight(geometry.window, forward.in_channels, forward.device):
        return False
    by_input, by_weight = wanted
    operations = ["forward"] + ["grad_input"] * by_input + ["grad_weight"] * by_weight
    return all(_search(forward.with_operation(operation), settings).kernel == "vendor" for operation in operations)


_forced: str | None = os.environ.get(ENVIRONMENT) or None
