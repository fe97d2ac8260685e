"""Whether modules must be called one by one: they have hooks, or a forward of their own."""

from torch import nn
from torch.nn.modules import module as torch_module

_OF_ALL = (
    torch_module._global_forward_hooks,
    torch_module._global_forward_pre_hooks,
    torch_module._global_backward_hooks,
    torch_module._global_backward_pre_hooks,
)


def are_observed(*modules: nn.Module | None) -> bool:
    """Whether one of the modules has hooks, or a forward that was replaced on the instance."""
    for module in modules:  # a loop: any() takes twice as long, and each block asks
        if module is not None and (
            module._forward_hooks
            or module._forward_pre_hooks
            or module._backward_hooks
            or module._backward_pre_hooks
            or "forward" in module.__dict__
        ):
            return True
    return any(_OF_ALL)


def has_forward_of(kind: type[nn.Module], module: nn.Module) -> bool:
    """Whether a module computes what this class does, and is not of a subclass that computes something else."""
    return type(module).forward is kind.forward
