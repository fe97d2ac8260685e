"""The memory that a training step holds between its forward and its backward pass."""

from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from sigconv.bench.contestant import Contestant


def saved_bytes(contestant: Contestant) -> int:
    """Bytes that autograd keeps from a forward pass, each storage counted once.

    Parameters and buffers do not count, as they are there anyway, nor do data; the input of any other layer does, as it
    is kept for the layer's sake.
    """
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        y = contestant.network(contestant.x)
    anyway = [*contestant.network.parameters(), *contestant.network.buffers()]
    if not contestant.x.requires_grad:
        anyway.append(contestant.x)
    for tensor in anyway:
        kept.pop(tensor.untyped_storage().data_ptr(), None)
    del y  # not before: addresses of freed memory are reused
    return sum(kept.values())
