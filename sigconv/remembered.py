"""Functions of hashable arguments whose results are kept, so that a layer plans once for each form of its input."""

import functools
import os
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import torch

P = ParamSpec("P")
R = TypeVar("R")


def remembered(function: Callable[P, R]) -> Callable[P, R]:
    """``function`` with a memory, except for symbolic sizes, as when a model is compiled or exported.

    A forked process starts with none, since not all kernels can be used there.
    """
    known: Any = functools.lru_cache(maxsize=4096)(function)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=known.cache_clear)

    @functools.wraps(function)
    def recall(*arguments: P.args, **options: P.kwargs) -> R:
        if torch.compiler.is_compiling():
            return function(*arguments, **options)
        try:
            return known(*arguments, **options)
        except TypeError:  # symbols have no hash
            return function(*arguments, **options)

    return recall
