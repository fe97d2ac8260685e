"""The digit network of Ciresan, Meier & Schmidhuber, "Multi-column deep neural networks for image classification", CVPR
2012."""

from collections.abc import Sequence

from torch import nn

from sigconv.blocks import chain
from sigconv.errors import UsageError
from sigconv.nets.shapes import picture
from sigconv.notation import build
from sigconv.words import by_x

SIZE = 29
LAYERS = "20C4-MP2-40C5-MP3-150N"


def ciresan(input: str | Sequence[int] = "1x28x28", classes: int = 10) -> nn.Sequential:
    """A column: 1x29x29-20C4-MP2-40C5-MP3-150N-10N with scaled tanh, (batch, \\*input) -> logits (batch, classes).

    With one channel and ten classes there are 76,040 parameters and 1,908,740 connections: each map sees all maps of
    the layer before. Smaller pictures get a border of zeros that makes them 29x29; in standardised pictures, 0 is their
    mean, and not the background. Weights are drawn as torch draws them.

    Raises:
        UsageError: the input is not a picture, or larger than 29x29, or there is no class.
    """
    channels, *size = picture("Ciresan's network", input, classes)
    if max(size) > SIZE:
        raise UsageError(f"Ciresan's network takes pictures of {SIZE}x{SIZE} at most; these have {by_x(size)}")
    layers = build(f"{LAYERS}-{classes}N", (channels, SIZE, SIZE), activation="scaled_tanh")
    (above, below), (left, right) = (((SIZE - n) // 2, -(-(SIZE - n) // 2)) for n in size)
    return chain(border=nn.ConstantPad2d((left, right, above, below), 0.0), **dict(layers.named_children()))
