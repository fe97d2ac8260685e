"""GoogLeNet: Szegedy et al., "Going deeper with convolutions", CVPR 2015, for any number of axes. Names and state_dict
are those of torchvision's googlenet without its auxiliary classifiers."""

from collections.abc import Sequence

from torch import nn

from sigconv.blocks import Fold, GlobalAvgPool, Inception, Preferred, basic, chain
from sigconv.layers import MaxPool
from sigconv.nets.shapes import folded

MODULES = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}
"""Maps of each :class:`sigconv.blocks.Inception`, as in the paper's table 1."""


def googlenet(
    input: str | Sequence[int] = "3x224x224",
    classes: int = 1000,
    width: float = 1.0,
    wide_kernel: int = 5,
    dropout: float = 0.4,
    ndim: int | None = None,
) -> nn.Sequential:
    """GoogLeNet, (batch, \\*input) -> logits (batch, classes), for signals of 15 samples along each axis or more.

    With three channels, two axes and 1000 classes there are 7,005,832 parameters; 6,624,904 with ``wide_kernel=3``.
    The paper's auxiliary classifiers, which only help in training, are left out: batch normalisation does that.

    Args:
        width: factor for all numbers of maps.
        wide_kernel: of the third branch of each module; 5 in the paper, 3 in torchvision, whose weights need it.
        dropout: share of the last maps' means that is dropped in training.
        ndim: how many axes to convolve over, the last ones; those before are folded into the channels. All if None.
    """
    channels, *size = folded("GoogLeNet", input, classes, ndim)
    axes = len(size)

    def scaled(maps: int) -> int:
        return max(1, round(width * maps))

    def pool(kernel: int = 3) -> MaxPool:
        return MaxPool(kernel, 2, ceil_mode=True, ndim=axes)

    parts: dict[str, nn.Module] = {
        "fold": Fold(axes),
        "layout": Preferred(),
        "conv1": basic(channels, scaled(64), 7, 2, ndim=axes),
        "maxpool1": pool(),
        "conv2": basic(scaled(64), scaled(64), 1, ndim=axes),
        "conv3": basic(scaled(64), scaled(192), 3, ndim=axes),
        "maxpool2": pool(),
    }
    maps, before = scaled(192), {"4a": ("maxpool3", pool()), "5a": ("maxpool4", pool(2))}
    for name, sizes in MODULES.items():
        if name in before:
            parts[before[name][0]] = before[name][1]
        module = Inception(maps, *map(scaled, sizes), wide_kernel=wide_kernel, ndim=axes)
        parts[f"inception{name}"], maps = module, module.out_channels
    return chain(**parts, avgpool=GlobalAvgPool(), dropout=nn.Dropout(dropout), fc=nn.Linear(maps, classes))
