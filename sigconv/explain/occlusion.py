"""What an answer depends on: hide parts of the input, and see how much is lost.

Zeiler & Fergus, "Visualizing and understanding convolutional networks", ECCV 2014, section 4.2.
"""

import itertools
import math
from collections.abc import Callable

import torch
from torch import Tensor

PATCHES = 196  # at most, over all axes
AT_ONCE = 32  # inputs that the network takes together


@torch.no_grad()
def occlusion(score: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """(\\*size): how much the score falls, on average, when a place is hidden.

    A patch filled with the input's mean slides over it, in steps of half its length along each axis.

    Args:
        score: (batch, channels, \\*size) -> (batch,).
        x: (channels, \\*size).
    """
    size = x.shape[1:]
    steps = max(1, math.floor(PATCHES ** (1 / len(size))))
    patches = list(itertools.product(*(_patches(length, steps) for length in size)))
    whole, mean = score(x[None])[0], x.mean()
    lost, covered = x.new_zeros(size), x.new_zeros(size)
    for begin in range(0, len(patches), AT_ONCE):
        part = patches[begin : begin + AT_ONCE]
        inputs = x.expand(len(part), *x.shape).clone()
        for one, patch in zip(inputs, part, strict=True):
            one[(slice(None), *patch)] = mean
        for patch, value in zip(part, score(inputs), strict=True):
            lost[patch] += whole - value
            covered[patch] += 1
    return lost / covered


def _patches(length: int, steps: int) -> list[slice]:
    """Intervals that overlap by half and cover all of ``range(length)``."""
    half = math.ceil(length / (steps + 1))
    starts = range(0, max(1, length - half), half)
    return [slice(start, min(length, start + 2 * half)) for start in starts]
