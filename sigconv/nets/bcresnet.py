"""BC-ResNet of Kim, Chang, Lee & Sung, "Broadcasted residual learning for efficient keyword spotting", Interspeech
2021, as in their program."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from sigconv.blocks import ConvBlock, Fold, GlobalAvgPool, SubSpectralNorm, chain
from sigconv.errors import UsageError
from sigconv.layers import Conv
from sigconv.layout import mean
from sigconv.nets.shapes import folded

# blocks, maps in units of 8 * scale, and stride over frequency; the dilation over time is 1, 2, 4, 8
STAGES = ((2, 1.0, 1), (2, 1.5, 2), (4, 2.0, 2), (4, 2.5, 1))


class BroadcastedBlock(nn.Module):
    """relu(x + y + g(mean of y over frequency)) with y = f(x), for maps (batch, in_channels, bands, frames).

    f convolves each map over frequency and normalises each sub-band; g convolves each map over time and mixes the maps,
    and its output is broadcast to all frequencies. Where the shape changes, f mixes the maps first and x is left out of
    the sum.
    """

    def __init__(
        self, in_channels: int, out_channels: int, stride: int, dilation: int, sub_bands: int, dropout: float
    ) -> None:
        super().__init__()
        out = out_channels
        self.keeps_shape = in_channels == out and stride == 1
        self.frequency = chain(
            expand=None if self.keeps_shape else ConvBlock(in_channels, out, (1, 1)),
            conv=Conv(out, out, (3, 1), (stride, 1), padding="same", groups=out, bias=False),
            norm=SubSpectralNorm(out, sub_bands),
        )
        self.time = chain(
            conv=ConvBlock(out, out, (1, 3), padding="same", dilation=(1, dilation), groups=out, activation="silu"),
            mix=Conv(out, out, (1, 1), bias=False),
            dropout=nn.Dropout2d(dropout),
        )

    def forward(self, x: Tensor) -> Tensor:
        y = self.frequency(x)
        y = y + self.time(mean(y, [2]))
        return F.relu(y.add_(x) if self.keeps_shape else y, inplace=True)


def bcresnet(
    input: str | Sequence[int],
    classes: int,
    scale: float = 1.0,
    sub_bands: int = 5,
    dropout: float = 0.1,
) -> nn.Sequential:
    """BC-ResNet, (batch, \\*input) -> logits (batch, classes), for spectrograms of any length.

    With 12 classes there are 9,232 weights at scale 1, 17,154 at 1.5, 27,284 at 2, 54,168 at 3, 187,812 at 6 and
    321,068 at 8, as in the authors' program.

    Args:
        input: (channels, bands, frames); the paper has 40 log-mel bands.
        scale: factor for the number of maps; the paper has 1, 1.5, 2, 3, 6 and 8.
        sub_bands: how many parts of the frequency axis are normalised separately; this must divide the heights of the
            maps, which are a half, a quarter and an eighth of the bands.
        dropout: share of the maps of g that is dropped in training.

    Raises:
        UsageError: the heights cannot be cut into this number of sub-bands.
    """
    channels, bands, _ = folded("BC-ResNet", input, classes, ndim=2)
    unit = int(8 * scale)
    if unit < 1:
        raise UsageError(f"BC-ResNet: scale is {scale:g}; it must be at least 0.125, which is one map")
    if sub_bands < 1:
        raise UsageError(f"BC-ResNet: sub_bands is {sub_bands}; it must be at least 1")
    height = _last_height(bands, sub_bands)
    maps = 2 * unit
    head = ConvBlock(channels, maps, (5, 5), stride=(2, 1), padding="same")
    stages: dict[str, nn.Module] = {}
    for number, (depth, factor, stride) in enumerate(STAGES):
        wider = int(unit * factor)
        blocks = [BroadcastedBlock(maps, wider, stride, 2**number, sub_bands, dropout)]
        blocks += [BroadcastedBlock(wider, wider, 1, 2**number, sub_bands, dropout) for _ in range(depth - 1)]
        stages[f"stage{number + 1}"] = nn.Sequential(*blocks)
        maps = wider
    return chain(
        fold=Fold(2),
        head=head,
        **stages,
        gather=Conv(maps, maps, (min(5, height), 5), padding=("valid", "same"), groups=maps, bias=False),
        mix=ConvBlock(maps, 4 * unit, (1, 1)),
        pool=GlobalAvgPool(),
        output=nn.Linear(4 * unit, classes),
    )


def _last_height(bands: int, sub_bands: int) -> int:
    """How many frequencies are left in the last stage; UsageError if those of a stage do not fit ``sub_bands``."""
    height = -(-bands // 2)
    heights = [height := -(-height // stride) for _, _, stride in STAGES]
    if any(height % sub_bands for height in heights):
        raise UsageError(
            f"BC-ResNet: {bands} bands become {', '.join(map(str, heights))}, which cannot be cut into {sub_bands} "
            f"equal sub-bands; take a multiple of {8 * sub_bands} bands, or other sub_bands"
        )
    return heights[-1]
