"""Which kernel computes an operation.

Each direction (forward, grad_input, grad_weight, ...) is decided separately. The kernel is that of the first rule of
:data:`sigconv.planner.rules.RULES` that applies and whose kernel supports it; else the vendor's; else the definition.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor

from sigconv.geometry import Geometry
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
from sigconv.kernels.problem import Problem
from sigconv.names import known
from sigconv.planner.rules import RULES
from sigconv.remembered import remembered

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


def settings_now() -> Settings:
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
    return search(problem, settings_now())


def is_forced() -> bool:
    """Whether one kernel is forced for all operations."""
    return _forced is not None


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
def search(problem: Problem, settings: Settings) -> Choice:
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


_forced: str | None = os.environ.get(ENVIRONMENT) or None
