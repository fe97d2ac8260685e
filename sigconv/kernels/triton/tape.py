"""Operations as tapes: what they allocate and which kernels they launch, recorded once for each form of operands.

Much of what happens between an operation's call and its kernels depends on the form of its operands alone (layouts,
grids, chunks, what Triton looks up for each argument), and takes many times as long as a small kernel. A tape only
allocates and launches.
"""

import functools
import threading
from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple

import torch
import triton
from torch import Tensor

from sigconv.layout import channels_last_strides, is_channels_last
from sigconv.window import Sizes

MOST = 4096
"""The most tapes that are kept for an operation."""
ALIGNED = 16
"""Bytes; Triton compiles separately for addresses that are multiples of this, and for others."""


class _Start(NamedTuple):
    """A kernel and its arguments, with room for addresses: ``plain`` are (argument, tensor), ``within`` (argument,
    place in that tuple, tensor)."""

    run: Callable[..., None]
    arguments: list[Any]
    plain: list[tuple[int, int]]
    within: list[tuple[int, int, int]]


class Tape:
    """Tensors are numbered: first the operands, then what is allocated, in that order."""

    def __init__(self, operands: Sequence[Tensor]) -> None:
        self._tensors = list(operands)
        self._allocations: list[tuple[Sizes, Sizes, torch.dtype]] = []
        self._starts: list[_Start] = []
        self._results: list[int] = []
        self._single = False
        self._device = operands[0].device
        self._knows_all = len({t.data_ptr() for t in operands}) == len(operands)

    def allocate(self, tensor: Tensor) -> None:
        self._tensors.append(tensor)
        self._allocations.append((tuple(tensor.shape), tensor.stride(), tensor.dtype))

    def start(self, run: Callable[..., None], arguments: Sequence[Any]) -> None:
        start = _Start(run, list(arguments), [], [])
        for place, argument in enumerate(arguments):
            if isinstance(argument, Tensor):
                start.plain.append((place, self._number(argument)))
            elif isinstance(argument, tuple):
                start.arguments[place] = tuple(argument)
                found = [(at, part) for at, part in enumerate(argument) if isinstance(part, Tensor)]
                start.within.extend((place, at, self._number(part)) for at, part in found)
        self._starts.append(start)

    def end(self, results: Tensor | tuple[Tensor, ...]) -> bool:
        """Whether the tape can be played: every tensor that a kernel has read or written, or that is returned, is its
        own. A copy of an operand is not."""
        self._single = isinstance(results, Tensor)
        self._results = [self._number(result) for result in ((results,) if isinstance(results, Tensor) else results)]
        self._tensors.clear()
        return self._knows_all

    def play(self, addresses: list[int]) -> Any:
        """Do the same with operands at other addresses."""
        made = [
            torch.empty_strided(size, stride, dtype=dtype, device=self._device)
            for size, stride, dtype in self._allocations
        ]
        operands = len(addresses)
        addresses += [tensor.data_ptr() for tensor in made]
        for run, arguments, plain, within in self._starts:
            filled = arguments.copy()
            for place, number in plain:
                filled[place] = addresses[number]
            for place, at, number in within:
                parts = filled[place]
                filled[place] = (*parts[:at], addresses[number], *parts[at + 1 :])
            run(*filled)
        if self._single:
            return made[self._results[0] - operands]
        return tuple([made[number - operands] for number in self._results])

    def _number(self, wanted: Tensor) -> int:
        for number, tensor in enumerate(self._tensors):
            if tensor.data_ptr() == wanted.data_ptr():
                return number
        self._knows_all = False
        return 0


class _Active(threading.local):
    tape: Tape | None = None


active = _Active()


def taped(operation: Callable[..., Any]) -> Callable[..., Any]:
    """``operation``, played from a tape where it has one. It takes tensors and hashable values, and must allocate only
    by :func:`empty` and :func:`laid_out_empty` and compute only by :class:`.tuning.Kernel`; it may copy operands of
    other layouts, but then has no tape."""
    tapes: dict[Hashable, Tape] = {}

    @functools.wraps(operation)
    def call(*given: Any) -> Any:
        operands = [_whole(operand) for operand in given]
        tensors = [operand for operand in operands if isinstance(operand, Tensor)]
        with torch.cuda.device_of(tensors[0]):
            if triton.knobs.runtime.interpret:
                return operation(*operands)
            pointers = [tensor.data_ptr() for tensor in tensors]
            form = (tensors[0].device, *[pointer % ALIGNED == 0 for pointer in pointers], *map(_form, operands))
            known = tapes.get(form)
            if known is not None:
                return known.play(pointers)
            if len(tapes) >= MOST:
                tapes.clear()
            active.tape = tape = Tape(tensors)
            try:
                results = operation(*operands)
            finally:
                active.tape = None
            if tape.end(results):
                tapes[form] = tape
            return results

    return call


def _whole(operand: Any) -> Any:
    """Kernels read a vector with a number for each channel as contiguous, and nothing as negative by a bit."""
    if not isinstance(operand, Tensor):
        return operand
    if operand.is_neg():
        operand = operand.resolve_neg()
    return operand.contiguous() if operand.ndim == 1 else operand


def _form(operand: Any) -> Hashable:
    return (operand.shape, operand.stride(), operand.dtype) if isinstance(operand, Tensor) else operand


def empty(like: Tensor, shape: Sizes, dtype: torch.dtype | None = None) -> Tensor:
    """An uninitialised contiguous tensor."""
    return _noted(like.new_empty(shape, dtype=dtype))


def laid_out_empty(like: Tensor, channels: int, size: Sizes, dtype: torch.dtype | None = None) -> Tensor:
    """The same for a signal (batch, channels, \\*size) in the layout of ``like``."""
    shape = (like.shape[0], channels, *size)
    if not is_channels_last(like):
        return empty(like, shape, dtype)
    return _noted(like.new_empty_strided(shape, channels_last_strides(shape), dtype=dtype))


def _noted(made: Tensor) -> Tensor:
    if active.tape is not None:
        active.tape.allocate(made)
    return made
