"""Networks on raw samples: M3, M5, M11, M18 and M34-res of Dai, Dai, Qu, Li & Das, "Very deep convolutional neural
networks for raw waveforms", ICASSP 2017."""

from collections.abc import Sequence
from typing import NamedTuple

from torch import nn

from sigconv.blocks import Chain, ConvBlock, Fold, GlobalAvgPool, chain
from sigconv.errors import UsageError
from sigconv.layers import MaxPool
from sigconv.names import named
from sigconv.nets.resnet import BasicBlock
from sigconv.nets.shapes import folded
from sigconv.window import Padding


class Variant(NamedTuple):
    """Maps of the first layer, layers (or residual blocks) of each stage, and which of the two they are."""

    width: int
    depths: tuple[int, ...]
    residual: bool = False


VARIANTS = {
    "M3": Variant(256, (1,)),
    "M5": Variant(128, (1, 1, 1)),
    "M11": Variant(64, (2, 2, 3, 2)),
    "M18": Variant(64, (4, 4, 4, 4)),
    "M34-res": Variant(48, (3, 4, 6, 3), residual=True),
}
POOLED_STAGES = 3  # the fourth goes straight to the global mean


def dainet(
    input: str | Sequence[int],
    classes: int,
    variant: str = "M5",
    width: int | None = None,
    kernel_size: int = 80,
    stride: int = 4,
    padding: Padding = "same",
) -> nn.Sequential:
    """A network on raw samples, (batch, \\*input) -> logits (batch, classes), for signals of any length.

    A convolution with long filters; then up to four stages of convolutions of size 3, each with twice the maps of the
    one before; the global mean of each map. After the first layer and the first three stages comes max pooling over 4
    places: 32,000 samples become 8,000, 2,000, 500, 125 and 32 places. With 10 classes there are 220,682 (M3), 558,090
    (M5), 1,784,202 (M11), 3,679,882 (M18) and 4,070,890 (M34-res) weights, the paper's 0.2, 0.5, 1.8, 3.7 and 4
    million. In M34-res a block that doubles the maps has a convolution of size 1 as its shortcut, which the paper does
    not mention; without these it has 3,972,778.

    Args:
        variant: "M3", "M5", "M11", "M18" or "M34-res".
        width: maps of the first layer, if not the paper's; the stages keep their proportions.
        kernel_size, stride: of the first layer, in samples. The paper's are for 8 kHz: filters of 10 ms, every 0.5 ms.
        padding: of convolutions and pooling; "same", "causal", or "valid", which needs more samples.
    """
    channels, *_ = folded("a network on raw samples", input, classes, ndim=1)
    plan = named("variant", variant, VARIANTS)
    if plan.residual and padding != "same":
        raise UsageError(
            f"{variant}: padding is {padding!r}; its blocks keep the number of places, so it must be 'same'"
        )
    maps = plan.width if width is None else width
    first = ConvBlock(channels, maps, (kernel_size,), stride=stride, padding=padding, pool=_pool(padding))
    stages: dict[str, nn.Module] = {}
    for number, depth in enumerate(plan.depths):
        wider = 2 * maps if number else maps
        layers = [_layer(a, wider, padding, plan.residual) for a in [maps, *[wider] * (depth - 1)]]
        stages[f"stage{number + 1}"] = Chain(*layers, *([_pool(padding)] if number < POOLED_STAGES else []))
        maps = wider
    return chain(fold=Fold(1), first=first, **stages, pool=GlobalAvgPool(), output=nn.Linear(maps, classes))


def _layer(inputs: int, outputs: int, padding: Padding, residual: bool) -> nn.Module:
    return BasicBlock(inputs, outputs, ndim=1) if residual else ConvBlock(inputs, outputs, (3,), padding=padding)


def _pool(padding: Padding) -> MaxPool:
    return MaxPool(4, padding=padding, ndim=1)
