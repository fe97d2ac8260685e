"""Functions with their own derivatives, without autograd's overhead where it is not needed."""

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from sigconv.kernels.problem import is_autocast, is_forward_mode, is_plain
from sigconv.layout import channels_last, is_batched


class Differentiable(Function):
    """A torch.autograd.Function whose ``call`` is its ``apply``, or only its ``forward`` where gradients are off.

    ``forward`` takes no context: what the backward pass needs is saved by ``setup_context``. Forward mode, where it is
    supported, is ``tangent`` and not ``jvp``, since torch.compile rejects a Function that has a jvp.
    """

    generate_vmap_rule = True
    _with_jvp: type[Function]
    _with_context: type[Function]

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "jvp" in vars(cls):  # made two lines below
            return
        cls.backward = staticmethod(_without_autocast(cls.backward))
        cls._with_jvp = type(cls.__name__, (cls,), {"jvp": cls.tangent}) if hasattr(cls, "tangent") else cls
        cls._with_context = _with_context(cls._with_jvp)

    @classmethod
    def call(cls, *arguments: Any) -> Any:
        if torch.compiler.is_compiling():
            return cls.apply(*arguments)
        if torch._C._are_functorch_transforms_active():
            return cls._with_jvp.apply(*arguments)
        if torch.is_grad_enabled() or is_forward_mode():
            return cls._with_context.apply(*arguments)
        return cls.forward(*arguments)


def _without_autocast(backward: Callable[..., Any]) -> Callable[..., Any]:
    """A backward pass in its forward pass's dtypes, as torch's own are, even if autocast is on when it runs."""

    @functools.wraps(backward)
    def in_its_own_dtypes(ctx: Any, *g: Tensor) -> Any:
        if not is_autocast(g[0]):
            return backward(ctx, *g)
        with torch.autocast(g[0].device.type, enabled=False):
            return backward(ctx, *g)

    return in_its_own_dtypes


def _with_context(function: type[Function]) -> type[Function]:
    """The same in torch's other form, whose ``forward`` takes the context: transforms cannot handle it, but a call
    takes 20 microseconds less."""

    def forward(ctx: Any, *inputs: Any) -> Any:
        output = function.forward(*inputs)
        output = tuple(map(_on_its_own, output)) if isinstance(output, tuple) else _on_its_own(output)
        function.setup_context(ctx, inputs, output)
        return output

    methods = {"forward": forward, "backward": function.backward, "jvp": function.jvp}
    return type(function.__name__, (Function,), {name: staticmethod(method) for name, method in methods.items()})


def _on_its_own(y: Tensor) -> Tensor:
    """A result that is not a view, as a picture's row is: torch forbids in-place changes to views from a Function."""
    return y.detach() if y._is_view() else y


def is_differentiated_again(*g: Tensor) -> bool:
    """Whether a backward pass is itself differentiated, in either mode, or batched (``is_grads_batched``)."""
    return torch.is_grad_enabled() or is_forward_mode() or any(map(is_batched, g))


def by_autograd(
    function: Callable[..., Any], operands: tuple[Tensor, ...], g: Tensor | tuple[Tensor, ...], *settings: Any
) -> tuple[Tensor | None, ...]:
    """The gradients of a function for those operands that require one: differentiable in turn, and for batched g."""
    again, wanted = torch.is_grad_enabled(), [t for t in operands if t.requires_grad]
    with torch.enable_grad():
        y = function(*operands, *settings)
    found = iter(torch.autograd.grad(y, wanted, g, create_graph=again))
    return tuple(next(found) if t.requires_grad else None for t in operands)


def matched_layout(g: Tensor, innermost: bool) -> Tensor:
    """g in channels-last if the forward pass's signal was, so that a backward pass stays in one layout."""
    return channels_last(g) if innermost and is_plain((g,)) and not is_batched(g) else g
