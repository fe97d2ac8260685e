"""Interleaved timing: contestants take turns, so that whatever temporarily slows a machine down slows all of them."""

import gc
import math
import random
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from time import perf_counter

import torch

SHORTEST = 1e-3  # seconds that a sample takes at least; shorter calls are repeated
AHEAD = 5e-3  # seconds of warm-up calls before a sample
ROUNDS = 7, 100  # at least and at most


@dataclass(frozen=True)
class Timing:
    """``median`` in seconds per call; ``spread``, the interquartile range relative to it; the number of rounds."""

    median: float
    spread: float
    rounds: int

    @classmethod
    def of(cls, samples: Sequence[float]) -> "Timing":
        low, middle, high = statistics.quantiles(samples, n=4, method="inclusive")
        return cls(middle, (high - low) / middle, len(samples))


def interleaved(
    calls: Mapping[str, Callable[[], object]], seconds: float, wait: Callable[[], object] = lambda: None
) -> dict[str, Timing]:
    """Time each of ``calls`` once per round, for about ``seconds``, in another order each round, so that none always
    inherits the memory and caches of the same one. Before it is timed each is called for a while, at least once, as in
    training a step follows many like itself.

    ``wait`` returns when the device has finished all its work.
    """
    repeats = {name: _repeats(call, wait) for name, call in calls.items()}
    taken: dict[str, list[float]] = {name: [] for name in calls}
    names, (least, most), dice = list(calls), ROUNDS, random.Random(0)
    with _no_garbage_collection():
        end = perf_counter() + seconds
        for number in range(most):
            if number >= least and perf_counter() > end:
                break
            dice.shuffle(names)
            for name in names:
                taken[name].append(_sample(calls[name], repeats[name], wait))
    return {name: Timing.of(samples) for name, samples in taken.items()}


def idle(device: torch.device) -> Callable[[], object]:
    """A function that returns when the device has finished all its work, which on a CPU is at once."""
    return partial(torch.cuda.synchronize, device) if device.type == "cuda" else lambda: None


def _repeats(call: Callable[[], object], wait: Callable[[], object]) -> int:
    """How many calls a sample needs."""
    return math.ceil(SHORTEST / _sample(call, 1, wait))


def _sample(call: Callable[[], object], repeats: int, wait: Callable[[], object]) -> float:
    """Seconds per call, after some that are not timed."""
    ready = perf_counter() + AHEAD
    call()
    wait()
    while perf_counter() < ready:
        call()
        wait()
    start = perf_counter()
    for _ in range(repeats):
        call()
    wait()
    return (perf_counter() - start) / repeats


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    was_on = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
