"""Kernels for GPUs, written in Triton, where the vendor's are slow or keep too much memory.

Depthwise convolution, convolution of one to three input channels, max pooling that keeps a byte for each winner, and
batch normalisation, by itself or on the way to pooling; along one to three axes, in both layouts. Each sum runs in
float32 (of TF32 products in convolution of few channels, where torch's own may use TF32) and in an order that depends
on the shapes alone, without atomics: the same operands give the same bits.

Triton is imported by the first operation, not before. Under TRITON_INTERPRET=1, set before Python starts, its
interpreter runs the same kernels on the CPU, slowly, for tests.
"""

import functools
import importlib.util
import os
import warnings
from collections.abc import Callable
from typing import Any

import torch

from sigconv.errors import first_line
from sigconv.geometry import Geometry
from sigconv.kernels.problem import NO_WINNER, Problem
from sigconv.window import Window

DTYPES = (torch.float32, torch.bfloat16, torch.float16)
DEVICES = ("cuda", "cpu") if os.environ.get("TRITON_INTERPRET") == "1" else ("cuda",)

AXES = 3
FEW = 3
"""Most input channels of a convolution that is computed as one of few channels."""
WIDEST = 128
"""Most places of a depthwise window: the gradients of all its weights are summed up side by side."""

OPERATIONS = (
    *("forward", "grad_input", "grad_weight", "normalise", "grad_normalise"),
    *("max_pool", "rectified_max_pool", "normalised_max_pool", "grad_normalised_max_pool", "route"),
    "error_sums",
)

LEAST_CAPABILITY = (8, 0)
"""The lowest compute capability of GPUs that Triton compiles for."""

_INSTALLED = importlib.util.find_spec("triton") is not None


def supports(problem: Problem) -> bool:
    return (
        _INSTALLED
        and problem.plain
        and problem.device in DEVICES
        and problem.dtype in DTYPES
        and problem.geometry.window.ndim <= AXES
        and _is_addressable(problem)
        and _has_kernel(problem)
        and (problem.device != "cuda" or _runs())
    )


@functools.cache
def _runs() -> bool:
    """Whether a kernel compiles, for which Triton needs a C compiler and Python's headers, and the GPU runs it. Without
    a GPU this is taken to be so, so that plans for other machines can be made."""
    if not torch.cuda.is_available():
        return True
    if torch.version.hip is not None or torch.cuda.get_device_capability() < LEAST_CAPABILITY:
        return False
    from sigconv.kernels.triton import operations

    try:
        operations.max_pool(torch.zeros(1, 1, 2, device="cuda"), Geometry(Window.parse((2,)), (2,)))
    except Exception as error:  # of Triton, of its compilers, of the driver: of any kind
        failed = f"Triton fails to run a kernel: {first_line(error)}"
        warnings.warn(f"sigconv leaves GPUs to torch, since {failed}", stacklevel=2)
        return False
    return True


def _is_addressable(problem: Problem) -> bool:
    """Whether there is anything to compute, and offsets within one item of the batch, and blocks of them, fit int32."""
    largest = max(problem.inputs, problem.outputs) // max(problem.batch, 1)
    return min(problem.inputs, problem.outputs) > 0 and largest < 1 << 30


def _has_kernel(problem: Problem) -> bool:
    window = problem.geometry.window
    few = has_few_channels(problem.in_channels, problem.geometry)
    depthwise = problem.depthwise and not few and window.places <= WIDEST
    match problem.operation:
        case "forward" | "grad_weight":
            return few or depthwise
        case "grad_input":
            return depthwise
        case "max_pool" | "rectified_max_pool" | "normalised_max_pool":
            return window.places < NO_WINNER
        case "route" | "grad_normalised_max_pool" | "error_sums":
            return problem.winners == torch.uint8
        case "normalise" | "grad_normalise":
            return True
        case _:
            return False


def has_few_channels(in_channels: int, geometry: Geometry) -> bool:
    return geometry.groups == 1 and in_channels <= FEW


def __getattr__(name: str) -> Callable[..., Any]:
    """The operations, which import Triton."""
    if name not in OPERATIONS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from sigconv.kernels.triton import operations

    return getattr(operations, name)
