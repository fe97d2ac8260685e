"""Channels-last: the layout in which the values of all channels at one place are adjacent in memory.

torch has it for two and three axes; here it exists for one axis too, as a picture of height 1. Most kernels are faster
in it: on a CPU pooling, several times; on a GPU batch normalisation and whatever runs on its tensor cores. A layer's
output has the layout of its input, or is channels-last if the layer's weights are.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, channels_last_3d
from torch import channels_last as channels_last_2d

from sigconv.remembered import remembered
from sigconv.window import Sizes

_FORMATS = {4: channels_last_2d, 5: channels_last_3d}
_KNOWN = (3, *_FORMATS)
"""Numbers of axes, batch and channel included, for which there is channels-last."""


def channels_last(x: Tensor) -> Tensor:
    """x (batch, channel, \\*size) with its channels innermost, for one to three axes; any other is left as it is.

    Not by ``contiguous``, which keeps a single channel's strides, so that everything after it would be in the other
    layout. Such a signal is not copied: its values are in the same order in both.
    """
    if x.ndim in _KNOWN and x.shape[1] == 1:
        return x.contiguous().squeeze(1).unsqueeze(-1).movedim(-1, 1)
    if x.ndim == 3:
        return x if is_channels_last(x) else x.unsqueeze(2).to(memory_format=channels_last_2d).squeeze(2)
    return x.to(memory_format=_FORMATS[x.ndim]) if x.ndim in _FORMATS else x


def preferred(x: Tensor) -> Tensor:
    """x (batch, channel, \\*size) in the layout that kernels prefer: channels-last on a CPU and on NVIDIA's GPUs;
    unchanged elsewhere, and under a transform, since vmap does not support layouts."""
    return channels_last(x) if x.device.type in ("cpu", "cuda") and not is_transformed(x) else x


def laid_out_for(x: Tensor, weight: Tensor) -> Tensor:
    """x (batch, channel, \\*size) as a convolution takes it: channels-last if ``weight`` is, as in torch.nn.

    A weight of one place leaves x as it is: both layouts give it the same strides.
    """
    tells = weight.shape[2:].numel() > 1 and not is_transformed(weight) and is_channels_last(weight)
    return preferred(x) if tells else x


def is_transformed(x: Tensor) -> bool:
    """Whether x is a wrapper under vmap or another transform, whose layout must not be queried."""
    return not torch.compiler.is_compiling() and (torch._C._functorch.is_functorch_wrapped_tensor(x) or is_batched(x))


def is_batched(x: Tensor) -> bool:
    """Whether x is a tensor that autograd batches for ``is_grads_batched``, as for a vectorised Jacobian."""
    return torch._C._dispatch_keys(x).has(_BATCHED)


_BATCHED = torch._C._dispatch_key_parse("Batched")


def is_channels_last(x: Tensor) -> bool:
    """Whether x has the strides that :func:`channels_last` gives, which are distinct even for a single channel."""
    return has_channels_last(x.shape, x.stride())


@remembered
def has_channels_last(shape: Sizes, strides: Sizes) -> bool:
    """The same for a tensor of this shape and these strides."""
    if len(shape) not in _KNOWN or strides[1] != 1:
        return False
    step = shape[1]
    for size, stride in zip(shape[:1:-1], strides[:1:-1], strict=True):
        if stride != step and size != 1:
            return False
        step *= size
    return strides[0] == step or shape[0] == 1


@remembered
def channels_last_strides(shape: Sizes) -> Sizes:
    """The strides of a channels-last tensor of this shape, for any number of axes."""
    _, channels, *size = shape
    steps = [channels * math.prod(size[axis + 1 :]) for axis in range(len(size))]
    return (channels * math.prod(size), 1, *steps)


def like(x: Tensor, other: Tensor) -> Tensor:
    """x in the layout of ``other``; as it is under torch.func, where neither is known."""
    if is_transformed(x) or is_transformed(other):
        return x
    if is_channels_last(other):
        return channels_last(x)
    x = x.contiguous()
    return x.squeeze(1).unsqueeze(1) if is_channels_last(x) and x.shape[1] == 1 else x  # contiguous keeps its strides


def mean(x: Tensor, axes: Sequence[int]) -> Tensor:
    """The mean of x (batch, channel, \\*size) over axes after the channels, which become 1; x if there are none.

    It is taken in memory order, which is faster than torch's mean and gives x's gradient the same layout.
    """
    if not axes:
        return x  # where torch's mean would be over all of them
    if not is_channels_last(x):
        return x.mean(tuple(axes), keepdim=True)
    return x.movedim(1, -1).mean([axis - 1 for axis in axes], keepdim=True).movedim(-1, 1)


def with_size(x: Tensor, size: Sizes) -> Tensor:
    """x (batch, channel, \\*size) reshaped to another size with as many places, in the same layout."""
    if not is_channels_last(x):
        return x.reshape(*x.shape[:2], *size)
    # Not by one reshape: a single channel would lose its strides.
    return x.movedim(1, -1).reshape(x.shape[0], *size, x.shape[1]).movedim(-1, 1)
