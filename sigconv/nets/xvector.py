"""A dilated time-delay network with statistics pooling: the x-vectors of Snyder, Garcia-Romero, Sell, Povey &
Khudanpur, "X-vectors: robust DNN embeddings for speaker recognition", ICASSP 2018."""

from collections.abc import Sequence

from torch import nn

from sigconv.blocks import BatchNorm, ConvBlock, Fold, StatisticsPooling, chain
from sigconv.nets.shapes import folded
from sigconv.window import Padding

FRAME_LAYERS = ((5, 1), (3, 2), (3, 3), (1, 1), (1, 1))  # kernel and dilation, in frames


def xvector(
    input: str | Sequence[int],
    classes: int,
    width: int = 128,
    pooled: int | None = None,
    padding: Padding = "valid",
    dropout: float = 0.0,
) -> nn.Sequential:
    """The x-vector network, (batch, \\*input) -> logits (batch, classes), for signals of any length.

    Five layers over frames, the last of which sees 15 frames; mean and standard deviation of its maps over time; two
    layers of neurons. Batch normalisation comes before ReLU here and after it in the paper.

    Args:
        width: maps of the first four layers, and neurons; 512 in the paper.
        pooled: maps whose statistics are taken; three times the width if None, 1500 in the paper. With 512, 1500 and
            24 bands there are 4.2 million weights up to the embedding, the first layer of neurons, as in the paper.
        padding: over time; with "causal" no unit looks ahead, with "valid" at least 15 frames are needed.
        dropout: share of the neurons' inputs that is dropped in training.
    """
    bands, *_ = folded("the x-vector network", input, classes, ndim=1)
    maps = [bands, *[width] * (len(FRAME_LAYERS) - 1), 3 * width if pooled is None else pooled]
    frames = {
        f"frame{i + 1}": ConvBlock(maps[i], maps[i + 1], (kernel,), padding=padding, dilation=dilation)
        for i, (kernel, dilation) in enumerate(FRAME_LAYERS)
    }
    return chain(
        fold=Fold(1),
        **frames,
        pool=StatisticsPooling(),
        segment6=_neurons(2 * maps[-1], width, dropout),
        segment7=_neurons(width, width, dropout),
        output=nn.Linear(width, classes),
    )


def _neurons(inputs: int, outputs: int, dropout: float) -> nn.Sequential:
    return chain(
        dropout=nn.Dropout(dropout) if dropout else None,
        linear=nn.Linear(inputs, outputs, bias=False),
        norm=BatchNorm(outputs),
        activation=nn.ReLU(),
    )
