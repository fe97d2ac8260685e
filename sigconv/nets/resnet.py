"""Residual networks of He, Zhang, Ren & Sun, "Deep residual learning for image recognition", CVPR 2016, and "Identity
mappings in deep residual networks", ECCV 2016, for any number of axes. Names and state_dict are those of torchvision's
resnet18 to resnet152, whose weights load."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import ClassVar

from torch import Tensor, nn

from sigconv.blocks import BatchNorm, Fold, GlobalAvgPool, Preferred, SqueezeExcitation
from sigconv.errors import UsageError
from sigconv.layers import Conv, MaxPool
from sigconv.names import named
from sigconv.nets.shapes import folded
from sigconv.window import PerAxis


class BasicBlock(nn.Module):
    """Two convolutions of size 3 and a shortcut around them: (batch, in_channels, *size) -> (batch, width, *size).

    The first has the stride. Where that or the width changes the shape, the shortcut is a convolution of size 1 (the
    paper's option B). With ``squeeze``, maps are weighted before the sum, by a :class:`SqueezeExcitation` with a neuron
    for every ``squeeze`` maps.
    """

    expansion: ClassVar[int] = 1

    def __init__(
        self, in_channels: int, width: int, stride: PerAxis = 1, *, squeeze: int | None = None, ndim: int
    ) -> None:
        super().__init__()
        self.conv1 = _conv(in_channels, width, 3, stride, ndim)
        self.bn1 = BatchNorm(width)
        self.conv2 = _conv(width, width, 3, 1, ndim)
        self.bn2 = BatchNorm(width)
        self.relu = nn.ReLU(inplace=True)
        self.se = _weighed(width, squeeze, ndim)
        self.downsample = projection(in_channels, width, self.conv1.window.stride, ndim)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        y = y if self.se is None else self.se(y)
        return self.relu(y + (x if self.downsample is None else self.downsample(x)))


class Bottleneck(nn.Module):
    """Convolutions of size 1, 3 and 1, the last to 4 * ``width`` maps; otherwise as :class:`BasicBlock`.

    The stride is that of the convolution of size 3, as in torchvision; the paper has it in the first.
    """

    expansion: ClassVar[int] = 4

    def __init__(
        self, in_channels: int, width: int, stride: PerAxis = 1, *, squeeze: int | None = None, ndim: int
    ) -> None:
        super().__init__()
        out_channels = self.expansion * width
        self.conv1 = _conv(in_channels, width, 1, 1, ndim)
        self.bn1 = BatchNorm(width)
        self.conv2 = _conv(width, width, 3, stride, ndim)
        self.bn2 = BatchNorm(width)
        self.conv3 = _conv(width, out_channels, 1, 1, ndim)
        self.bn3 = BatchNorm(out_channels)
        self.relu = nn.ReLU(inplace=True)
        self.se = _weighed(out_channels, squeeze, ndim)
        self.downsample = projection(in_channels, out_channels, self.conv2.window.stride, ndim)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        y = y if self.se is None else self.se(y)
        return self.relu(y + (x if self.downsample is None else self.downsample(x)))


class PreActivation(nn.Module):
    """:class:`BasicBlock` with normalisation and ReLU before each convolution, and nothing after the sum.

    So the signal goes through the whole network unchanged, except for what blocks add. He et al., ECCV 2016, figure 4e.
    Their network's first block is an exception, to whose shortcut the normalised and rectified signal goes; here it is
    none, and adds to what the convolution before it gives.
    """

    expansion: ClassVar[int] = 1

    def __init__(
        self, in_channels: int, width: int, stride: PerAxis = 1, *, squeeze: int | None = None, ndim: int
    ) -> None:
        super().__init__()
        self.bn1 = BatchNorm(in_channels)
        self.conv1 = _conv(in_channels, width, 3, stride, ndim)
        self.bn2 = BatchNorm(width)
        self.conv2 = _conv(width, width, 3, 1, ndim)
        self.relu = nn.ReLU(inplace=True)
        self.se = _weighed(width, squeeze, ndim)
        changes = in_channels != width or set(self.conv1.window.stride) != {1}
        self.downsample = _conv(in_channels, width, 1, stride, ndim) if changes else None

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(x))
        around = x if self.downsample is None else self.downsample(y)
        y = self.conv2(self.relu(self.bn2(self.conv1(y))))
        return around + (y if self.se is None else self.se(y))


BLOCKS: dict[str, type[BasicBlock] | type[Bottleneck] | type[PreActivation]] = {
    "basic": BasicBlock,
    "bottleneck": Bottleneck,
    "preactivation": PreActivation,
}


class ResNet(nn.Module):
    """A residual network, (batch, \\*input) -> logits (batch, classes), for signals of any size.

    Each stage but the first halves the size and doubles the maps. With three channels, 1000 classes and two axes,
    ``blocks=(2, 2, 2, 2)`` is ResNet-18 with 11,689,512 weights, (3, 4, 6, 3) ResNet-34 with 21,797,672, and with
    ``block="bottleneck"`` ResNet-50 with 25,557,032; ``blocks=(3, 3, 3), width=16, small=True`` is the ResNet-20 for
    CIFAR-10, but with projections where the paper's shortcuts have no weights.

    Args:
        blocks: how many blocks there are in each stage.
        width: maps of the first stage.
        block: "basic", "bottleneck" or "preactivation": :class:`BasicBlock`, :class:`Bottleneck`,
            :class:`PreActivation`.
        squeeze: how many maps there are per neuron of the :class:`sigconv.blocks.SqueezeExcitation` in each block, 16
            in its paper; no such module if None.
        small: for small signals such as spectrograms: the stem is one convolution of size 3, instead of size 7 with a
            stride and max pooling.
        stride: of the stem, its pooling and each stage but the first; one number, or one for each axis: (1, 2, 2)
            keeps all frames of a video.
        ndim: how many axes to convolve over, the last ones; those before are folded into the channels. All if None.
    """

    def __init__(
        self,
        input: str | Sequence[int],
        classes: int,
        blocks: Sequence[int] = (2, 2, 2, 2),
        width: int = 64,
        *,
        block: str = "basic",
        squeeze: int | None = None,
        small: bool = False,
        stride: PerAxis = 2,
        ndim: int | None = None,
    ) -> None:
        super().__init__()
        channels, *size = folded("ResNet", input, classes, ndim)
        ndim = len(size)
        kind, behind = named("block", block, BLOCKS), block == "preactivation"
        self.fold = Fold(ndim)
        self.layout = Preferred()
        self.conv1 = _conv(channels, width, 3 if small else 7, 1 if small else stride, ndim)
        if not behind:
            self.bn1 = BatchNorm(width)
            self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.Identity() if small else MaxPool(3, stride, padding="same", ndim=ndim)
        layers, channels = stages(partial(kind, squeeze=squeeze, ndim=ndim), width, blocks, stride, kind.expansion)
        for name, layer in layers.items():
            self.add_module(name, layer)
        if behind:
            self.bn1 = BatchNorm(channels)
            self.relu = nn.ReLU(inplace=True)
        self.avgpool = GlobalAvgPool()
        self.fc = nn.Linear(channels, classes)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        for part in self.children():
            x = part(x)
        return x


def stages(
    block: Callable[[int, int, PerAxis], nn.Module],
    width: int,
    blocks: Sequence[int],
    stride: PerAxis,
    expansion: int = 1,
) -> tuple[dict[str, nn.Module], int]:
    """layer1, layer2, ... of residual blocks, for ``width`` maps, and the number of maps that the last one gives.

    Args:
        block: makes a block with ``expansion`` * width output maps from its number of input maps, width and stride.
        blocks: how many there are in each stage. Each stage but the first doubles the width and has the stride.

    Raises:
        UsageError: a stage has no block.
    """
    if not blocks or min(blocks) < 1:
        raise UsageError(f"residual network: blocks is {tuple(blocks)}; give every stage one block or more")
    layers: dict[str, nn.Module] = {}
    channels = width
    for stage, depth in enumerate(blocks):
        layer = nn.Sequential()
        for step in [1 if stage == 0 else stride, *[1] * (depth - 1)]:
            layer.append(block(channels, width * 2**stage, step))
            channels = width * 2**stage * expansion
        layers[f"layer{stage + 1}"] = layer
    return layers, channels


def initialise(network: nn.Module) -> None:
    """Draw the weights of all convolutions as He et al. do, from a normal distribution by their outputs' number."""
    for module in network.modules():
        if isinstance(module, Conv):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


def _conv(in_channels: int, out_channels: int, kernel_size: int, stride: PerAxis, ndim: int) -> Conv:
    return Conv(in_channels, out_channels, kernel_size, stride, padding="same", bias=False, ndim=ndim)


def _weighed(channels: int, squeeze: int | None, ndim: int) -> SqueezeExcitation | None:
    if squeeze is None:
        return None
    if squeeze < 1:
        raise UsageError(f"ResNet: squeeze is {squeeze}; it must be at least 1, or None to weigh no maps")
    return SqueezeExcitation(channels, channels // squeeze, ndim=ndim)


def projection(in_channels: int, out_channels: int, stride: Sequence[int], ndim: int) -> nn.Sequential | None:
    """What leads the signal around a block: a convolution of size 1; None where nothing changes the shape."""
    if in_channels == out_channels and set(stride) == {1}:
        return None
    return nn.Sequential(_conv(in_channels, out_channels, 1, stride, ndim), BatchNorm(out_channels))
