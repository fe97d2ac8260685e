"""What was measured: where which kernel is faster than the vendor's.

The first rule that applies is taken, so the order matters. Gains are medians of forward and backward against torch.nn
in its best layout, from ``sigconv bench``; docs/performance.md has all figures, and the machine.
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


RULES: tuple[Rule, ...] = ()
