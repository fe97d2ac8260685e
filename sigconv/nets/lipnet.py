"""LipNet of Assael, Shillingford, Whiteson & de Freitas, "LipNet: end-to-end sentence-level lipreading", 2016."""

import math
from collections.abc import Sequence

from torch import Tensor, nn

from sigconv.blocks import ConvBlock, Flatten, Fold, PerFrame, chain, check_causal
from sigconv.errors import UsageError
from sigconv.nets import video
from sigconv.nets.shapes import folded
from sigconv.window import padding_of
from sigconv.words import by_x

# maps in units of the width, and kernel
LAYERS = ((1, (3, 5, 5)), (2, (3, 5, 5)), (3, (3, 3, 3)))
STRIDE = (1, 2, 2)  # of the first layer
POOL = (1, 2, 2)  # after each


class FrameGRU(nn.GRU):
    """Two layers of gated recurrent units over frames: (batch, features, time) -> (batch, units, time).

    There are ``hidden`` units in each direction, and one direction only if ``causal``. Cho et al., EMNLP 2014.
    """

    def __init__(self, features: int, hidden: int, causal: bool) -> None:
        super().__init__(features, hidden, num_layers=2, batch_first=True, bidirectional=not causal)

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(x.transpose(1, 2))[0].transpose(1, 2)


def lipnet(
    input: str | Sequence[int],
    classes: int,
    *,
    sequence: bool = False,
    causal: bool = False,
    width: int = 32,
    hidden: int = 256,
    norm: str | None = None,
    dropout: float = 0.5,
) -> nn.Sequential:
    """LipNet, (batch, \\*input) -> logits (batch, classes); with ``sequence`` (batch, classes, frames).

    Three convolutions over time and space, each with ReLU and max pooling over space, and two layers of gated recurrent
    units, for videos of any number of frames. With the paper's 3x75x50x100 and 28 classes, letters, space and CTC's
    blank, there are 4,574,460 weights.

    Args:
        input: (channels, frames, height, width).
        sequence: whether each frame has its own scores, as in the paper, for CTC.
        causal: whether no frame sees a later one: convolutions look back only, and recurrence has one direction.
        width: maps of the first convolution; the others have twice and three times as many.
        hidden: recurrent units of each direction.
        norm: of each convolution; none in the paper, "batch" learns faster.
        dropout: share of the maps that is dropped in training, after each convolution.

    Raises:
        UsageError: the input is not a video, or too small to be pooled three times; or the norm is not causal.
    """
    check_causal(norm, causal)
    channels, _, *size = shape = folded("LipNet", input, classes, ndim=3)
    size = [-(-n // 2) // 2 ** len(LAYERS) for n in size]
    if not all(size):
        raise UsageError(f"LipNet: the input {by_x(shape)} is too small; it needs pictures of at least 15x15")
    convolutions: dict[str, nn.Module] = {}
    for number, (factor, kernel) in enumerate(LAYERS, start=1):
        convolutions[f"conv{number}"] = ConvBlock(
            channels,
            factor * width,
            kernel,
            stride=STRIDE if number == 1 else 1,
            padding=padding_of("same", 3, causal=causal),
            norm=norm,
            pool=POOL,
        )
        convolutions[f"dropout{number}"] = nn.Dropout3d(dropout)
        channels = factor * width
    return chain(
        fold=Fold(3),
        **convolutions,
        flatten=PerFrame(Flatten((channels, *size))),
        gru=FrameGRU(channels * math.prod(size), hidden, causal),
        output=video.Head(hidden if causal else 2 * hidden, classes, sequence),
    )
