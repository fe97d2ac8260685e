"""Announces when kernels are compiled for the first time, so that nobody wonders why the first batch takes long."""

from contextlib import AbstractContextManager

from numba.core.event import Event, Listener, install_listener

from sigconv.train.console import say


class _Announcement(Listener):
    def __init__(self) -> None:
        self._said = False

    def on_start(self, event: Event) -> None:
        ours = event.data["dispatcher"].py_func.__module__.startswith("sigconv.")
        if ours and not self._said:
            self._said = True
            say("compiles   kernels for this machine, which are then kept: the first batches take longer")

    def on_end(self, event: Event) -> None:
        pass


def announced_compiling() -> AbstractContextManager[object]:
    """A context that announces, once, the compilation of a kernel of sigconv that is not yet cached on disk."""
    return install_listener("numba:compile", _Announcement())
