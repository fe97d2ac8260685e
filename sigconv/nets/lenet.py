"""LeNet-5 of LeCun, Bottou, Bengio & Haffner, "Gradient-based learning applied to document recognition", 1998."""

from collections.abc import Sequence

from torch import nn

from sigconv.blocks import chain
from sigconv.nets.shapes import picture
from sigconv.notation import build

LAYERS = "6C5-AP2-16C5-AP2-120C5-84N"  # the paper's C1, S2, C3, S4, C5 and F6


def lenet5(
    input: str | Sequence[int] = "1x28x28", classes: int = 10, activation: str | None = "scaled_tanh"
) -> nn.Sequential:
    """LeNet-5 as closely as full connections allow: (batch, \\*input) -> (batch, classes).

    The picture gets a border of two zeros, which makes MNIST's 28x28 the paper's 32x32. With 10 classes there are
    61,706 parameters and 423,038 connections. The paper has 60,000 and 340,908, because there

    - C3 connects each of its maps to 3, 4 or 6 of the 6 previous maps, by a table (1,516 weights, here 2,416);
    - S2 and S4 scale each map by a trainable weight, add a bias and squash (12 and 32 weights, here none);
    - the output is 10 radial basis functions with fixed centres, drawn as 7x12 bitmaps (no trainable weights, here
      850 in 10 linear neurons, for cross entropy).

    The paper draws weights uniformly within 2.4 / (number of inputs), and its border is the background; here they are
    drawn as torch draws them, and the border is 0, which in standardised pictures is their mean.
    """
    channels, height, width = picture("LeNet-5", input, classes)
    layers = build(f"{LAYERS}-{classes}N", (channels, height + 4, width + 4), activation=activation)
    return chain(border=nn.ConstantPad2d(2, 0.0), **dict(layers.named_children()))
