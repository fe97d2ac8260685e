"""Numba's part: whether it can be used in this process, and with how many threads.

It uses OpenMP's threads: of Numba's other threading layers, one ends the process when two threads call at once. They
are not torch's threads, whose wheel has an OpenMP runtime of its own.
"""

import functools
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch

F = TypeVar("F", bound=Callable[..., Any])

PARALLEL_FOR, NUMBER_OF_THREADS = "numba_parallel_for", "get_num_threads"
"""The functions of Numba that :mod:`.parallel` calls, by their names in compiled code."""

_forked = False


@functools.cache
def _starts() -> bool:
    try:
        import numba
        from llvmlite.binding import address_of_symbol
    except ImportError:
        return False
    if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
        return False
    numba.config.THREADING_LAYER_PRIORITY = ["omp", "tbb", "workqueue"]  # type: ignore[attr-defined]
    torchs = torch.get_num_threads()
    try:
        numba.set_num_threads(1)  # starts the threads
        has_all = all(map(address_of_symbol, (PARALLEL_FOR, NUMBER_OF_THREADS)))
        return has_all and numba.threading_layer() == "omp"
    except ValueError:  # no layer can be loaded
        return False
    finally:
        torch.set_num_threads(torchs)  # the start sets it to all there are, by a name that both runtimes share


def is_available() -> bool:
    """Whether Numba is there, may compile and runs on OpenMP, whose threads are gone in a forked process."""
    return not _forked and _starts()


def use_torchs_threads() -> None:
    """Use as many threads as torch does, or as many as there are: Numba's number for this thread, which stays so."""
    import numba

    numba.set_num_threads(min(torch.get_num_threads(), numba.config.NUMBA_NUM_THREADS))  # type: ignore[attr-defined]


def jit(function: F) -> F:
    """Compile a function, once for each dtype; the result is kept on disk until any kernel's source changes."""
    try:
        compiled = _njit(function, cache=True)
    except RuntimeError:  # no place on disk can be written
        return _njit(function)
    # Numba itself only looks at the function's own file, and not at the files of what it calls.
    if kept := getattr(getattr(compiled, "_cache", None), "_cache_file", None):
        kept._source_stamp = sources()
    return compiled


def called(function: F) -> F:
    """Compile a function that compiled functions call, once for each dtype; it is cached with its callers."""
    return _njit(function, no_cpython_wrapper=True)


def contracted(function: F) -> F:
    """The same, for a function in which a product and a sum may be fused into one operation, rounded once."""
    return _njit(function, no_cpython_wrapper=True, fastmath={"contract"})


def inlined(function: F) -> F:
    """The same, for a small function that is inlined wherever it is called."""
    return _njit(function, no_cpython_wrapper=True, forceinline=True)


def _njit(function: F, **options: Any) -> F:
    import numba

    options |= {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True}  # nobody calls from C
    return numba.njit(**options)(function)


@functools.cache
def sources() -> str:
    """A digest of all kernels' files."""
    files = sorted(Path(__file__).parents[1].rglob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def _note_fork() -> None:
    global _forked
    _forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note_fork)
