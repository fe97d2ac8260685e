"""Watching a network's layers while it computes."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

from torch import nn


@contextmanager
def hooked(hooks: Mapping[nn.Module, Callable[[Any, Any, Any], object]]) -> Iterator[None]:
    """Each layer calls its hook with itself, its inputs and its output; what a hook returns changes nothing."""
    with ExitStack() as stack:
        for layer, hook in hooks.items():
            stack.enter_context(layer.register_forward_hook(partial(_call, hook)))
        yield


def _call(hook: Callable[..., object], *seen: Any) -> None:
    hook(*seen)
