"""Memory for what loops compute in between, which is kept from call to call.

The system maps large memory anew each time, page by page, which takes as long as the loops themselves. And where it is
in small pages, loops that go through it in large steps took up to 2.5 times as long, in some processes.
"""

from __future__ import annotations

import math
import mmap
import threading
from contextlib import suppress

import numpy as np

MOST = 1 << 24
"""Bytes that are kept, by each thread that calls; more than that is given back."""

ALIGNED = 64
"""Bytes by which arrays begin: a line of the caches."""

HUGE_PAGE = 1 << 21
"""Bytes of one, where the system has them."""

_kept = threading.local()


def workspace(dtype: np.dtype, *shapes: tuple[int, ...]) -> list[np.ndarray]:
    """Arrays of these shapes, with anything in them. They are another call's as soon as this one's loops are done."""
    sizes = [-(-math.prod(shape) * dtype.itemsize // ALIGNED) * ALIGNED for shape in shapes]
    memory = _memory(sum(sizes) + ALIGNED)
    start, found = -memory.ctypes.data % ALIGNED, []
    for shape, size in zip(shapes, sizes, strict=True):
        found.append(memory[start : start + math.prod(shape) * dtype.itemsize].view(dtype).reshape(shape))
        start += size
    return found


def _memory(size: int) -> np.ndarray:
    kept = getattr(_kept, "memory", None)
    if kept is not None and len(kept) >= size:
        return kept
    memory = _mapped(size)
    if size <= MOST:
        _kept.memory = memory
    return memory


def _mapped(size: int) -> np.ndarray:
    """New memory, in huge pages if the system gives them."""
    if not hasattr(mmap, "MADV_HUGEPAGE"):
        return np.empty(size, np.uint8)
    pages = 1 + -(-size // HUGE_PAGE)  # it may begin within one
    memory = mmap.mmap(-1, pages * HUGE_PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with suppress(OSError):
        memory.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(memory, np.uint8)
