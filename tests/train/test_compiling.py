"""The line about kernels that are compiled."""

from types import SimpleNamespace

import pytest
from numba.core.event import Event as NumbaEvent
from numba.core.event import EventStatus, broadcast

from sigconv.train.compiling import announced_compiling


def _compiles(module: str) -> None:
    dispatcher = SimpleNamespace(py_func=SimpleNamespace(__module__=module))
    for status in (EventStatus.START, EventStatus.END):
        broadcast(NumbaEvent("numba:compile", status, {"dispatcher": dispatcher}))


def test_the_first_kernel_of_ours_is_announced_once(capsys: pytest.CaptureFixture[str]) -> None:
    _compiles("sigconv.kernels.numba.pooling")
    with announced_compiling():
        _compiles("librosa.util.utils")
        assert capsys.readouterr().out == ""
        _compiles("sigconv.kernels.numba.pooling")
        assert capsys.readouterr().out.startswith("compiles   kernels for this machine")
        _compiles("sigconv.kernels.numba.winners")
    _compiles("sigconv.kernels.numba.pooling")
    assert capsys.readouterr().out == ""
