"""The time-delay neural network of Waibel, Hanazawa, Hinton, Shikano & Lang, "Phoneme recognition using time-delay
neural networks", IEEE Transactions on Acoustics, Speech and Signal Processing 37, 1989."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sigconv.blocks import ConvBlock, Fold, chain
from sigconv.nets.shapes import folded
from sigconv.window import Padding


class Evidence(nn.Module):
    """Each class' evidence over time, (batch, classes, frames) -> logits (batch, classes).

    A weight, the same for all frames, times the mean over them, plus a bias. The weight starts at 9, the paper's number
    of frames, which turns the mean into their sum; a mean suits recordings of any length.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((classes,), 9.0))
        self.bias = nn.Parameter(torch.zeros(classes))

    def forward(self, x: Tensor) -> Tensor:
        return torch.addcmul(self.bias, self.weight, x.mean(2))


def waibel(
    input: str | Sequence[int] = "1x16x15",
    classes: int = 3,
    hidden: int = 8,
    activation: str | None = "sigmoid",
    padding: Padding = "valid",
) -> nn.Sequential:
    """Waibel's time-delay network, (batch, \\*input) -> logits (batch, classes); any number of bands and frames.

    8 hidden units see 3 frames of all bands; a unit for each class sees 5 frames of these, hence 7 of the input; its
    activity is summed over time. With the paper's 16 bands, 15 frames (of 10 ms) and /b/, /d/, /g/ there are 13 frames
    of hidden units and 9 of class units, 6,233 connections, and 521 weights: 392, 123, and 6 of the output. There the
    paper has fixed equal weights and a sigmoid; here they are trained, and cross entropy needs no sigmoid. The paper's
    input lies between -1 and 1.

    Args:
        hidden: units of the first layer; more of them, and "relu" or "tanh", suit harder tasks.
        activation: of both hidden layers, one of :data:`sigconv.blocks.ACTIVATIONS`.
        padding: over time; with "causal" no unit looks ahead, with "valid" at least 7 frames are needed.
    """
    bands, *_ = folded("Waibel's network", input, classes, ndim=1)
    return chain(
        fold=Fold(1),
        hidden=ConvBlock(bands, hidden, (3,), padding=padding, norm=None, activation=activation),
        classes=ConvBlock(hidden, classes, (5,), padding=padding, norm=None, activation=activation),
        evidence=Evidence(classes),
    )
