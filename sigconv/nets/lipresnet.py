"""The residual network with temporal convolutions of Martinez, Ma, Petridis & Pantic, "Lipreading using temporal
convolutional networks", ICASSP 2020."""

from collections.abc import Sequence
from functools import partial

from torch import nn

from sigconv.blocks import ConvBlock, Fold, GlobalAvgPool, PerFrame, chain, tcn
from sigconv.layers import MaxPool
from sigconv.nets import video
from sigconv.nets.resnet import BasicBlock, initialise, stages
from sigconv.nets.shapes import folded
from sigconv.window import padding_of


def lipresnet(
    input: str | Sequence[int],
    classes: int,
    *,
    sequence: bool = False,
    causal: bool = False,
    blocks: Sequence[int] = (2, 2, 2, 2),
    width: int = 64,
    kernel_sizes: Sequence[int] = (3, 5, 7),
    tcn_width: int | None = None,
    levels: int = 4,
    dropout: float = 0.2,
) -> nn.Sequential:
    """ResNet-18 and MS-TCN, (batch, \\*input) -> logits (batch, classes); with ``sequence`` (batch, classes, frames).

    A convolution over time and space with max pooling over space; on each frame separately, the stages of a residual
    network and the mean over the picture; a temporal convolutional network (:func:`sigconv.blocks.tcn`); for videos of
    any size and number of frames. ``network.trunk.module`` has the names of torchvision's resnet18, whose weights load
    into its layer1 to layer4.

    With 500 words there are 34,583,476 weights. The authors' program uses 36,374,516, 36.4 million: there the last
    three levels too have a shortcut with a convolution of size 1 (1,771,776 weights), though nothing changes the shape;
    convolutions over time have biases that normalisation cancels (6,144); and PReLU has a weight for each map (13,120).

    Args:
        input: (channels, frames, height, width); the paper's is 1x29x88x88.
        sequence: whether each frame has its own scores, for CTC.
        causal: whether no frame sees a later one.
        blocks: how many residual blocks there are in each stage; (2, 2, 2, 2) is ResNet-18.
        width: maps of the first convolution and the first stage.
        kernel_sizes, levels, dropout: of the temporal network.
        tcn_width: maps of the temporal network; 12 times the width if None, which is the paper's 768.

    Raises:
        UsageError: the input is not a video; a stage has no block; the maps cannot be divided among the kernel sizes.
    """
    channels, *_ = folded("the lipreading ResNet", input, classes, ndim=3)
    front = ConvBlock(
        channels,
        width,
        (5, 7, 7),
        stride=(1, 2, 2),
        padding=padding_of("same", 3, causal=causal),
        pool=MaxPool((1, 3, 3), (1, 2, 2), padding="same"),
    )
    layers, features = stages(partial(BasicBlock, ndim=2), width, blocks, stride=2)
    maps = 12 * width if tcn_width is None else tcn_width
    network = chain(
        fold=Fold(3),
        front=front,
        trunk=PerFrame(chain(**layers, avgpool=GlobalAvgPool())),
        tcn=tcn(features, maps, kernel_sizes, levels, causal=causal, dropout=dropout),
        output=video.Head(maps, classes, sequence),
    )
    initialise(network)
    return network
