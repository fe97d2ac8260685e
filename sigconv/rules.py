"""What was measured: where which kernel is faster than the vendor's.

The first rule that applies is taken, so the order matters. Gains are medians on a CPU against torch.nn in its best
layout, from ``sigconv bench``; docs/performance.md has all figures, and the machine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .kernels.problem import Problem


@dataclass(frozen=True)
class Rule:
    """Take ``kernel`` for a problem that ``applies``, because it is faster there."""

    kernel: str
    because: str
    applies: Callable[[Problem], bool]


def _on_cpu(problem: Problem, *operations: str) -> bool:
    return problem.device == "cpu" and problem.operation in operations


RULES: tuple[Rule, ...] = (
    Rule(
        "numba",
        "winners are remembered in a byte, and pooling goes over channels that lie side by side",
        lambda p: _on_cpu(p, "max_pool", "rectified_max_pool", "route", "routed_onto", "error_sums", "moments"),
    ),
    Rule(
        "numba",
        "the vendor convolves each channel by itself slowly if the window has gaps",
        lambda p: _on_cpu(p, "forward", "grad_input") and p.depthwise and max(p.geometry.window.dilation) > 1,
    ),
    Rule(
        "flipped",
        "the vendor's convolution with the flipped kernel is faster than its gradient",
        lambda p: _on_cpu(p, "grad_input") and p.depthwise,
    ),
    Rule(
        "numba",
        "the vendor sums up the weights' gradients of separate channels slowly",
        lambda p: _on_cpu(p, "grad_weight") and p.depthwise and _is_long(p),
    ),
)


def _is_long(problem: Problem) -> bool:
    """Pictures have a fast kernel for small windows."""
    window = problem.geometry.window
    return window.ndim != 2 or window.places >= 25 or max(window.dilation) > 1
