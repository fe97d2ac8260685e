"""R(2+1)D of Tran, Wang, Torresani, Ray, LeCun & Paluri, "A closer look at spatiotemporal convolutions for action
recognition", CVPR 2018. Names and state_dict are those of torchvision's r2plus1d_18, whose weights load."""

from collections.abc import Sequence
from functools import partial

from torch import Tensor, nn

from sigconv.blocks import BatchNorm, Fold, GlobalAvgPool, PerFrame, chain, factorised
from sigconv.blocks.conv import middle_maps
from sigconv.errors import UsageError
from sigconv.nets import video
from sigconv.nets.resnet import initialise, projection, stages
from sigconv.nets.shapes import folded
from sigconv.window import PerAxis, padding_of, per_axis

KERNEL = (3, 3, 3)


class FactorisedBlock(nn.Module):
    """Two (2+1)-D convolutions of size 3 with a residual connection around them.

    (batch, in_channels, time, height, width) -> (batch, ``width``, time, height, width); the first has the stride. As
    in the authors' program, both have as many middle maps as give the first one the number of weights of a 3-D one.
    """

    def __init__(self, in_channels: int, width: int, stride: PerAxis = 1, *, causal: bool = False) -> None:
        super().__init__()
        padding = padding_of("same", 3, causal=causal)
        middle = middle_maps(in_channels, width, KERNEL)
        first = factorised(in_channels, width, KERNEL, stride=stride, padding=padding, middle=middle)
        second = factorised(width, width, KERNEL, padding=padding, middle=middle)
        self.conv1 = nn.Sequential(first, BatchNorm(width), nn.ReLU(inplace=True))
        self.conv2 = nn.Sequential(second, BatchNorm(width))
        self.relu = nn.ReLU(inplace=True)
        self.downsample = projection(in_channels, width, per_axis(stride, 3, 1, "stride", "FactorisedBlock"), 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.conv2(self.conv1(x)) + (x if self.downsample is None else self.downsample(x)))


def r2plus1d(
    input: str | Sequence[int],
    classes: int,
    *,
    sequence: bool = False,
    causal: bool = False,
    blocks: Sequence[int] = (2, 2, 2, 2),
    width: int = 64,
    stride: PerAxis = (1, 2, 2),
) -> nn.Sequential:
    """R(2+1)D, (batch, \\*input) -> logits (batch, classes); with ``sequence`` (batch, classes, frames).

    A residual network whose convolutions look at space first and then at time, for videos of any size and number of
    frames. With three channels and 400 classes there are 31,505,325 weights, as in torchvision's r2plus1d_18.

    Args:
        input: (channels, frames, height, width).
        sequence: whether each frame has its own scores, for CTC.
        causal: whether no frame sees a later one.
        blocks: how many residual blocks there are in each stage.
        width: maps of the first stage; each stage doubles them.
        stride: of each stage but the first. The paper's is 2, which halves the frames as well.

    Raises:
        UsageError: the input is not a video; a stage has no block; ``sequence`` with a stride over time.
    """
    channels, *_ = folded("R(2+1)D", input, classes, ndim=3)
    if sequence and per_axis(stride, 3, 1, "stride", "R(2+1)D")[0] > 1:
        raise UsageError(f"R(2+1)D: sequence wants scores of each frame, but stride is {stride}; let it begin with 1")
    middle = max(1, 45 * width // 64)  # the program's; fewer than match the weights of 3-D
    stem = factorised(
        channels, width, (3, 7, 7), stride=(1, 2, 2), padding=padding_of("same", 3, causal=causal), middle=middle
    )
    layers, features = stages(partial(FactorisedBlock, causal=causal), width, blocks, stride)
    network = chain(
        fold=Fold(3),
        stem=nn.Sequential(*stem, BatchNorm(width), nn.ReLU(inplace=True)),
        **layers,
        avgpool=PerFrame(GlobalAvgPool()),
        fc=video.Head(features, classes, sequence),
    )
    initialise(network)
    return network
