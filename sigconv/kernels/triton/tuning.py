"""Starting kernels: in the form that was measured to be the fastest, and without what Triton does before each start.

Triton looks at each argument to find what it compiled for such, and its tuner at all of them once more, which takes
longer than a small kernel itself. Of arguments of a form that has been before it is known.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import torch
import triton
from torch import Tensor

Grid = tuple[int, int, int]
Grids = Grid | Callable[[dict[str, Any]], Grid]
"""Of programs, or what gives it by the constants, those of the configuration included."""

MOST = 4096
"""Forms of arguments that are remembered."""
ALIGNED = 16
"""Bytes; Triton compiles for addresses that are multiples of it, and for others."""


class Kernel:
    """A kernel in Triton's language, called with its grid and its arguments; those that are constants come by name.

    ``key`` names the arguments for each of whose values the fastest of ``configs`` is found, once a machine: Triton
    keeps on disk what was found. One of them is "extent", which kernels have for that alone. The configurations must
    not change the order of any sum: then tuning changes no bit of a result. The interpreter has nothing to measure and
    takes the first.
    """

    def __init__(self, function: Callable[..., Any], configs: Sequence[triton.Config], key: Sequence[str]) -> None:
        self.interpreted = bool(triton.knobs.runtime.interpret)
        chosen = list(configs[:1] if self.interpreted else configs)
        self._tuner = triton.autotune(chosen, key=list(key), cache_results=True)(triton.jit(function))
        self._started: dict[Hashable, tuple[Callable[..., None], list[Any]]] = {}
        # A tuner keeps the arguments of a call in itself, and autograd has a thread for each device.
        self._lock = threading.RLock()

    def __call__(self, grid: Grids, *arguments: Any, **constants: Any) -> None:
        if self.interpreted:
            self._tuner.run(*arguments, grid=grid, warmup=False, **constants)
            return
        form = (torch.cuda.current_device(), *map(_form, arguments), *constants.values())
        if (known := self._started.get(form)) is not None:
            start, rest = known
            start(*arguments, *rest)
            return
        with self._lock:
            compiled = self._tuner.run(*arguments, grid=grid, warmup=False, **constants)
            constants |= self._tuner.best_config.all_kwargs()
        if len(self._started) >= MOST:
            self._started.clear()
        rest = [constants[name] for name in self._tuner.arg_names[len(arguments) :]]
        self._started[form] = compiled[grid(constants) if callable(grid) else grid], rest


def fixed(warps: int) -> Callable[[Callable[..., Any]], Kernel]:
    """A kernel of one form, as where another would add up in another order."""
    return lambda function: Kernel(function, [triton.Config({}, num_warps=warps)], [])


def _form(argument: Any) -> Hashable:
    """What a kernel is compiled for, and the grid depends on: all but a tensor's numbers and its address."""
    if isinstance(argument, Tensor):
        return argument.dtype, argument.data_ptr() % ALIGNED == 0
    if isinstance(argument, tuple):
        return tuple(map(_form, argument))
    return argument
