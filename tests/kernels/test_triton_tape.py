"""Tapes do what the operation did, with the operands that they are played for, and only where they can."""

import importlib.util
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from sigconv.layout import channels_last

pytestmark = pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="no Triton for this system")


class _Recorder:
    """An operation of one kernel, which notes what it is started with; ``prepared`` counts the calls of the former."""

    def __init__(self, prepare: Callable[[Tensor], Tensor] = lambda x: x) -> None:
        from sigconv.kernels.triton.tape import active, empty, laid_out_empty, taped

        self.started: list[tuple[Any, ...]] = []
        self.prepared = 0

        def operation(x: Tensor, w: Tensor, stride: int) -> tuple[Tensor, Tensor]:
            self.prepared += 1
            signal, y, room = prepare(x), laid_out_empty(x, 5, (4,)), empty(w, (7,), torch.float64)
            assert active.tape is not None
            run = lambda *arguments: self.started.append(arguments)  # noqa: E731
            active.tape.start(run, [(signal, 3, 1), w, stride, y, (2, room)])
            return y, room

        self.call = taped(operation)


def _operands(offset: int = 0) -> tuple[Tensor, Tensor]:
    return channels_last(torch.randn(2, 3, 8)), torch.randn(9 + offset)[offset:]


def test_is_played_with_other_operands() -> None:
    operation = _Recorder()
    y, room = operation.call(*_operands(), 2)
    x, w = _operands()
    again, other_room = operation.call(x, w, 2)
    assert operation.prepared == 1
    ((signal, weights, stride, place, pair),) = operation.started
    assert (signal, weights, stride) == ((x.data_ptr(), 3, 1), w.data_ptr(), 2)
    assert (place, pair) == (again.data_ptr(), (2, other_room.data_ptr()))
    assert again.data_ptr() != y.data_ptr()
    assert (again.shape, again.stride(), again.dtype) == (y.shape, y.stride(), torch.float32)
    assert (other_room.shape, other_room.dtype) == (room.shape, torch.float64)


@pytest.mark.parametrize(
    "operands",
    [
        (*_operands(), 3),
        (_operands()[0].contiguous(), _operands()[1], 2),
        (_operands()[0][:1], _operands()[1], 2),
        (_operands()[0].bfloat16(), _operands()[1], 2),
        (*_operands(offset=1), 2),
    ],
    ids=["number", "layout", "batch", "dtype", "address"],
)
def test_each_form_has_its_own(operands: tuple[Any, ...]) -> None:
    operation = _Recorder()
    for _ in range(2):
        operation.call(*_operands(), 2)
        operation.call(*operands)
    assert operation.prepared == 2


def test_a_copy_of_an_operand_is_made_again() -> None:
    operation = _Recorder(prepare=Tensor.contiguous)
    for _ in range(2):
        operation.call(*_operands(), 2)
    assert operation.prepared == 2
    assert not operation.started


def test_operands_are_not_negative_by_a_bit() -> None:
    x, seen = torch.randn(2, 3, 8), []
    _Recorder(prepare=lambda x: seen.append(x) or x).call(torch._neg_view(-x), torch.randn(9), 2)
    assert not seen[0].is_neg()
    assert torch.equal(seen[0], x)


def test_operands_in_one_place_tell_nothing_of_others() -> None:
    operation = _Recorder()
    x = torch.randn(2, 3, 8)
    operation.call(x, x, 2)
    operation.call(x, torch.randn(2, 3, 8), 2)
    assert operation.prepared == 2


def test_an_error_leaves_no_tape_behind() -> None:
    from sigconv.kernels.triton.tape import active

    def fail(x: Tensor) -> Tensor:
        raise RuntimeError("no memory")

    with pytest.raises(RuntimeError, match="no memory"):
        _Recorder(prepare=fail).call(*_operands(), 2)
    assert active.tape is None
