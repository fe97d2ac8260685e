"""Whether modules have to be called one by one: hooks watch them, or they do something of their own."""

from __future__ import annotations

from torch import nn
from torch.nn.modules import module as torch_module


def are_observed(*modules: nn.Module) -> bool:
    """Whether anybody wants to see what goes into one of the modules, or comes out of it."""
    return bool(torch_module._global_forward_hooks or torch_module._global_forward_pre_hooks) or any(
        module._forward_hooks or module._forward_pre_hooks or module._backward_hooks or module._backward_pre_hooks
        for module in modules
    )


def has_forward_of(kind: type[nn.Module], module: nn.Module) -> bool:
    """Whether a module computes what this class does, and no subclass of it something else."""
    return type(module).forward is kind.forward
