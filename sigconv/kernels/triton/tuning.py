"""Launching kernels, in the configuration that was measured to be the fastest."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

import triton

from sigconv.kernels.triton.tape import active

Grid = tuple[int, int, int]
Grids = Grid | Callable[[dict[str, Any]], Grid]
"""A grid of programs, or a function that gives it from the constants, the configuration's included."""


class Kernel:
    """A kernel in Triton's language, called with its grid and its arguments; those that are constants come by name.

    ``key`` names the arguments for each of whose values the fastest of ``configs`` is found, once per machine: Triton
    keeps the result on disk. One of them is "extent", which kernels take for that alone. The configurations must not
    change the order of any sum, so that tuning changes no bit of a result. The interpreter has nothing to measure and
    takes the first.
    """

    def __init__(self, function: Callable[..., Any], configs: Sequence[triton.Config], key: Sequence[str]) -> None:
        chosen = list(configs[:1] if triton.knobs.runtime.interpret else configs)
        self._tuner = triton.autotune(chosen, key=list(key), cache_results=True)(triton.jit(function))
        # A tuner stores the arguments of a call in itself, and autograd has a thread for each device.
        self._lock = threading.RLock()

    def __call__(self, grid: Grids, *arguments: Any, tuned: bool = True, **constants: Any) -> None:
        """Launch the kernel; if ``tuned`` is False, in the first configuration, without compiling and measuring all."""
        with self._lock:
            if tuned:
                compiled = self._tuner.run(*arguments, grid=grid, warmup=False, **constants)
                constants |= self._tuner.best_config.all_kwargs()
            else:
                constants |= self._tuner.configs[0].all_kwargs()
                compiled = self._tuner.fn.run(*arguments, grid=grid, warmup=False, **constants)
        if active.tape is not None:
            rest = [constants[name] for name in self._tuner.arg_names[len(arguments) :]]
            run = compiled[grid(constants) if callable(grid) else grid]
            active.tape.start(run, [*arguments, *rest])


def fixed(warps: int) -> Callable[[Callable[..., Any]], Kernel]:
    """A kernel with one configuration, as where another would change the order of a sum."""
    return lambda function: Kernel(function, [triton.Config({}, num_warps=warps)], [])
