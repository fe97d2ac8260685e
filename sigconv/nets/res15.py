"""Residual networks on spectrograms: res8, res15 and res26 of Tang & Lin, "Deep residual learning for small-footprint
keyword spotting", ICASSP 2018, as in their program Honk."""

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional as F

from sigconv.blocks import BatchNorm, Fold, GlobalAvgPool
from sigconv.layers import AvgPool, Conv
from sigconv.names import named
from sigconv.nets.shapes import folded
from sigconv.window import PerAxis, Sizes


class Variant(NamedTuple):
    """Convolutions after the first, average pooling over (bands, frames), and whether the convolutions are dilated."""

    convolutions: int
    pool: Sizes | None
    dilated: bool


VARIANTS = {
    "res8": Variant(6, (3, 4), False),
    "res15": Variant(13, None, True),
    "res26": Variant(24, (2, 2), False),
}


class SpeechResNet(nn.Module):
    """res8, res15 or res26, (batch, \\*input) -> logits (batch, classes), for spectrograms of any size.

    All convolutions are 3x3, without bias, and followed by ReLU and then batch normalisation, which has no weights.
    Each pair of them has a residual connection for the sum so far, before normalisation. The dilation of res15 doubles
    with every third convolution, up to 16; it sees 125x125 places. With 12 classes there are 110,307 (res8), 237,882
    (res15) and 438,357 (res26) weights, and with 19 maps, the paper's narrow networks, 19,905, 42,648 and 78,387.

    Args:
        input: (channels, bands, frames); the paper's is 1x40x101, MFCC.
        variant: "res8", "res15" or "res26".
        width: maps of every layer.
    """

    def __init__(self, input: str | Sequence[int], classes: int, variant: str = "res15", width: int = 45) -> None:
        super().__init__()
        channels, *_ = folded("a residual network on spectrograms", input, classes, ndim=2)
        plan = named("variant", variant, VARIANTS)
        self.fold = Fold(2)
        self.first = _conv(channels, width, 1)
        self.pool = nn.Identity() if plan.pool is None else AvgPool(plan.pool)
        dilations = [2 ** (i // 3) if plan.dilated else 1 for i in range(plan.convolutions)]
        self.convs = nn.ModuleList(_conv(width, width, dilation) for dilation in dilations)
        self.norms = nn.ModuleList(BatchNorm(width, affine=False) for _ in dilations)
        self.mean = GlobalAvgPool()
        self.output = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = total = self.pool(F.relu(self.first(self.fold(x))))
        for number, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True), start=1):
            x = F.relu(conv(x))
            if number % 2 == 0:
                x = total = x + total
            x = norm(x)
        return self.output(self.mean(x))


def _conv(inputs: int, outputs: int, dilation: PerAxis) -> Conv:
    return Conv(inputs, outputs, (3, 3), padding="same", dilation=dilation, bias=False)
