"""The memory that a training step holds between its forward and its backward pass."""

from __future__ import annotations

from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from sigconv.bench.contestant import Contestant


def saved_bytes(contestant: Contestant) -> int:
    """Bytes that autograd keeps of a forward pass, each storage once.

    Parameters and buffers do not count, which are there anyway, nor do data; the signals of any other layer do: they
    are kept for its sake.
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
    del y  # not before: the addresses of what is freed are given away again
    return sum(kept.values())
