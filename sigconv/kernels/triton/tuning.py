"""Choosing among configurations of a kernel by measuring them, once a machine: Triton keeps what was found on disk."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any

import triton


def tuned(kernel: Callable[..., Any], configs: list[triton.Config], key: list[str]) -> Any:
    """``kernel``, compiled and tuned for each value of its arguments ``key``; among them is "extent", for tuning only.

    The configurations must not change the order of any sum: then tuning changes no bit of a result. The interpreter
    has nothing to measure and takes the first.
    """
    chosen = configs[:1] if triton.knobs.runtime.interpret else configs
    found = triton.autotune(chosen, key=key, cache_results=True)(triton.jit(kernel))
    found.run = _one_at_a_time(found.run)
    return found


def _one_at_a_time(run: Callable[..., Any]) -> Callable[..., Any]:
    """A tuner keeps the arguments of a call in itself, and autograd has a thread for each device."""
    lock = threading.RLock()

    @functools.wraps(run)
    def locked(*arguments: Any, **options: Any) -> Any:
        with lock:
            return run(*arguments, **options)

    return locked
