"""Memory for intermediate results of loops, which is kept from call to call.

Otherwise the system maps large memory again each time, page by page, which takes as long as the loops themselves.
"""

import math
import os
import threading

import numpy as np

MOST = (os.cpu_count() or 1) << 23
"""The most bytes that each calling thread keeps, 8 MB for each core; a larger workspace is given back."""

ALIGNED = 64
"""The alignment of arrays in bytes: a cache line."""

_kept = threading.local()


def workspace(dtype: np.dtype, *shapes: tuple[int, ...]) -> list[np.ndarray]:
    """Uninitialised arrays of these shapes, valid until this thread's next call."""
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
    memory = np.empty(size, np.uint8)
    if size <= MOST:
        _kept.memory = memory
    return memory
