"""Channels-last: the layout in which the numbers of all channels at one place lie side by side.

torch has it for two and three axes; here it is for one axis too, as a picture of height 1. Most kernels are faster in
it: on a CPU pooling, several times; on a GPU batch normalisation, and all that its matrix units do. A layer gives its
output in the layout of its input, or in channels-last if its weights lie so.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, channels_last_3d
from torch import channels_last as channels_last_2d

from sigconv.remembered import remembered
from sigconv.window import Sizes

_FORMATS = {4: channels_last_2d, 5: channels_last_3d}
_KNOWN = (3, *_FORMATS)
"""How many axes signals have for which there is channels-last."""


def channels_last(x: Tensor) -> Tensor:
    """x (batch, channel, \\*size) with its channels innermost, for one to three axes; any other is left as it is.

    Not by ``contiguous``, which leaves a single channel's strides as they are, and then all that follows is in the
    other layout. Such a signal is not copied: its numbers are in the same order in both.
    """
    if x.ndim in _KNOWN and x.shape[1] == 1:
        return x.contiguous().squeeze(1).unsqueeze(-1).movedim(-1, 1)
    if x.ndim == 3:
        return x if is_channels_last(x) else x.unsqueeze(2).to(memory_format=channels_last_2d).squeeze(2)
    return x.to(memory_format=_FORMATS[x.ndim]) if x.ndim in _FORMATS else x


def preferred(x: Tensor) -> Tensor:
    """x (batch, channel, \\*size) as kernels like it best: channels-last on a CPU and on NVIDIA's GPUs; as it is
    elsewhere, and under a transform, as vmap knows no layouts."""
    return channels_last(x) if x.device.type in ("cpu", "cuda") and not is_transformed(x) else x


def laid_out_for(x: Tensor, weight: Tensor) -> Tensor:
    """x (batch, channel, \\*size) as a convolution takes it: channels-last if ``weight`` is, as in torch.nn.

    A weight of one place cannot tell: both layouts give it the same strides.
    """
    tells = weight.shape[2:].numel() > 1 and not is_transformed(weight) and is_channels_last(weight)
    return preferred(x) if tells else x


def is_transformed(x: Tensor) -> bool:
    """Whether x stands for others, under vmap or another transform, which may not be asked for their layout."""
    return not torch.compiler.is_compiling() and (torch._C._functorch.is_functorch_wrapped_tensor(x) or is_batched(x))


def is_batched(x: Tensor) -> bool:
    """Whether it is one of those that autograd makes for ``is_grads_batched``, as for a vectorised Jacobian."""
    return torch._C._dispatch_keys(x).has(_BATCHED)


_BATCHED = torch._C._dispatch_key_parse("Batched")


def is_channels_last(x: Tensor) -> bool:
    """Whether :func:`channels_last` gave x its strides. Those of a single channel tell, too."""
    return has_channels_last(x.shape, x.stride())


@remembered
def has_channels_last(shape: Sizes, strides: Sizes) -> bool:
    """The same of a tensor of this shape and these strides."""
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
    """Those of such a tensor of this shape, for any number of axes."""
    _, channels, *size = shape
    steps = [channels * math.prod(size[axis + 1 :]) for axis in range(len(size))]
    return (channels * math.prod(size), 1, *steps)


def like(x: Tensor, other: Tensor) -> Tensor:
    """x in the layout of ``other``."""
    if is_channels_last(other):
        return channels_last(x)
    x = x.contiguous()
    return x.squeeze(1).unsqueeze(1) if is_channels_last(x) and x.shape[1] == 1 else x  # whose strides that has kept


def mean(x: Tensor, axes: Sequence[int]) -> Tensor:
    """The mean of x (batch, channel, \\*size) over axes behind the channels, which become 1.

    In the order in which numbers lie in memory: that is faster than torch's, and so are x's gradients laid out.
    """
    if not is_channels_last(x):
        return x.mean(tuple(axes), keepdim=True)
    return x.movedim(1, -1).mean([axis - 1 for axis in axes], keepdim=True).movedim(-1, 1)


def with_size(x: Tensor, size: Sizes) -> Tensor:
    """x (batch, channel, \\*size) with another size of as many places, in its layout."""
    if not is_channels_last(x):
        return x.reshape(*x.shape[:2], *size)
    # Not by one reshape: a single channel would lose its strides.
    return x.movedim(1, -1).reshape(x.shape[0], *size, x.shape[1]).movedim(-1, 1)
