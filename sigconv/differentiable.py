"""Functions with derivatives of their own, without what a call costs where it need not."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch.autograd import Function, forward_ad


class Differentiable(Function):
    """A torch.autograd.Function whose ``call`` is its ``apply``; with gradients switched off, just its ``forward``.

    ``forward`` takes no context: what the backward pass needs is saved by ``setup_context``.
    """

    generate_vmap_rule = True

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        # torch asks for it at each call, and Python would work it out anew.
        cls.forward.__signature__ = inspect.signature(cls.forward)  # type: ignore[attr-defined]

    @classmethod
    def call(cls, *arguments: Any) -> Any:
        return cls.forward(*arguments) if _nothing_is_recorded() else cls.apply(*arguments)


def _nothing_is_recorded() -> bool:
    if torch.compiler.is_compiling() or torch.is_grad_enabled():
        return False
    return forward_ad._current_level < 0 and not torch._C._are_functorch_transforms_active()
