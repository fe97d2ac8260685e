"""Switches for a whole process, as in torch.backends: off in the library, on in the recipes."""

import ctypes
import sys

from sigconv.processor import is_amd

linear_by_onednn = False
"""Whether :class:`sigconv.blocks.Linear` multiplies float32 matrices with oneDNN rather than with torch's BLAS.

The latter is Intel's MKL in the usual builds, which reaches less than half of an AMD processor's speed.
"""

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of glibc's malloc.h
NEVER = 1 << 30


def make_the_most_of_this_machine() -> None:
    """Turn on the switches that suit it, for a program whose purpose is training."""
    global linear_by_onednn
    keep_freed_memory()
    linear_by_onednn = is_amd()


def keep_freed_memory() -> bool:
    """Let glibc keep the memory that the process frees, instead of returning every large tensor to the system.

    A training step frees its activations and asks for as much again: without this each one is mapped and zeroed again,
    page by page. The process never shrinks, so this is for a program whose purpose is training, not for a library to do
    behind its user's back. Returns whether it was done, which it is on Linux with glibc.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return False
    return bool(mallopt(M_MMAP_MAX, 0) and mallopt(M_TRIM_THRESHOLD, NEVER))
