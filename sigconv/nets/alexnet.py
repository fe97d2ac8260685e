"""AlexNet: Krizhevsky, "One weird trick for parallelizing convolutional neural networks", 2014. It is the network of
Krizhevsky, Sutskever & Hinton, NIPS 2012, made for one GPU: other numbers of maps, and no groups. Names and state_dict
are torchvision's, whose weights load."""

import math
from collections.abc import Iterator, Sequence

from torch import nn

from sigconv.blocks import Flatten, Fold, Linear, chain
from sigconv.layers import AdaptiveAvgPool, Conv, MaxPool
from sigconv.nets.shapes import folded

PLACES = 6
"""The size, along each axis, of the maps that the fully connected layers see."""
LAYERS = (
    (64, 11, 4, 2, True),
    (192, 5, 1, 2, True),
    (384, 3, 1, 1, False),
    (256, 3, 1, 1, False),
    (256, 3, 1, 1, True),
)
"""For each convolution: maps, kernel, stride, padding, and whether max pooling follows."""


def alexnet(
    input: str | Sequence[int] = "3x224x224",
    classes: int = 1000,
    neurons: int = 4096,
    dropout: float = 0.5,
    ndim: int | None = None,
) -> nn.Sequential:
    """AlexNet, (batch, \\*input) -> logits (batch, classes), for signals of any number of axes and any size from 63 on.

    With three channels, two axes and 1000 classes there are 61,100,840 parameters. Pooling windows overlap: three
    samples wide, with stride 2. The paper's normalisation across maps is left out, as in torchvision.

    Args:
        neurons: in each of the two hidden layers of neurons.
        dropout: share of the activations before these two that is dropped in training.
        ndim: how many axes to convolve over, the last ones; those before are folded into the channels. All if None.
    """
    channels, *size = folded("AlexNet", input, classes, ndim)
    axes, maps = len(size), LAYERS[-1][0]
    seen = (maps, *[PLACES] * axes)
    return chain(
        fold=Fold(axes),
        features=nn.Sequential(*_features(channels, axes)),
        avgpool=AdaptiveAvgPool(PLACES, ndim=axes),
        flatten=Flatten(seen),
        classifier=nn.Sequential(
            nn.Dropout(dropout),
            Linear(math.prod(seen), neurons),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            Linear(neurons, neurons),
            nn.ReLU(inplace=True),
            nn.Linear(neurons, classes),
        ),
    )


def _features(channels: int, ndim: int) -> Iterator[nn.Module]:
    for maps, kernel, stride, padding, pooled in LAYERS:
        yield Conv(channels, maps, kernel, stride, padding, ndim=ndim)
        yield nn.ReLU(inplace=True)
        if pooled:
            yield MaxPool(3, 2, ndim=ndim)
        channels = maps
