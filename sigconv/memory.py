"""How the process keeps memory."""

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of glibc's malloc.h
NEVER = 1 << 30


def keep_freed_memory() -> bool:
    """Lets glibc keep what the process frees, in place of giving every large tensor back to the system.

    A training step frees its activations and asks for as much again: without this each one is mapped, and cleared page
    by page, anew. The process stays as large as it ever was, so this is for a program whose purpose is training, not
    for a library to do behind its user's back. True where it was done, which is on Linux with glibc.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return False
    return bool(mallopt(M_MMAP_MAX, 0) and mallopt(M_TRIM_THRESHOLD, NEVER))
