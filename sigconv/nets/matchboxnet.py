"""MatchboxNet of Majumdar & Ginsburg, "MatchboxNet: 1D time-channel separable convolutional neural network architecture
for speech commands recognition", Interspeech 2020, as in their configuration in NeMo."""

from collections.abc import Sequence

from torch import nn

from sigconv.blocks import BatchNorm, ConvBlock, Fold, GlobalAvgPool, Residual, chain, separable
from sigconv.errors import UsageError
from sigconv.nets.shapes import folded
from sigconv.window import Padding

OUTER = 128  # maps of the layers before and after the blocks


def matchboxnet(
    input: str | Sequence[int],
    classes: int,
    blocks: int = 3,
    repeats: int = 1,
    width: int = 64,
    padding: Padding = "same",
    dropout: float = 0.0,
) -> nn.Sequential:
    """MatchboxNet-BxRxC, (batch, \\*input) -> logits (batch, classes), for signals of any length.

    Depthwise separable convolutions over time: one with kernel 11; B residual blocks of R convolutions with kernel 13,
    15, 17, ...; one with kernel 29 and dilation 2; one of size 1; the mean over time. With 64 bands and 30 classes
    MatchboxNet-3x1x64 has 77,214 weights and 3x2x64 has 92,766, the paper's 77 and 93 thousand.

    Args:
        blocks, repeats, width: B, R and C.
        padding: over time; "same", or "causal", which never looks ahead.
        dropout: share of the maps' places that is dropped in training, after each separable convolution.
    """
    bands, *_ = folded("MatchboxNet", input, classes, ndim=1)
    for name, number in (("blocks", blocks), ("repeats", repeats)):
        if number < 1:
            raise UsageError(f"MatchboxNet: {name} is {number}; it must be at least 1")
    if padding not in ("same", "causal"):
        raise UsageError(f"MatchboxNet: padding is {padding!r}; blocks keep the number of places: 'same' or 'causal'")
    body = {
        f"block{number + 1}": _block(width if number else OUTER, width, 13 + 2 * number, repeats, padding, dropout)
        for number in range(blocks)
    }
    network = chain(
        fold=Fold(1),
        prologue=_dropped(separable(bands, OUTER, (11,), padding=padding), dropout),
        **body,
        epilogue=_dropped(separable(width, OUTER, (29,), padding=padding, dilation=2), dropout),
        mix=_dropped(ConvBlock(OUTER, OUTER, (1,)), dropout),
        pool=GlobalAvgPool(),
        output=nn.Linear(OUTER, classes),
    )
    for module in network.modules():
        if isinstance(module, BatchNorm):
            module.eps = 1e-3  # NeMo's
    return network


def _block(inputs: int, outputs: int, kernel: int, repeats: int, padding: Padding, dropout: float) -> nn.Sequential:
    """``repeats`` separable convolutions with a convolution of size 1 as the shortcut around them."""
    received = [inputs, *[outputs] * (repeats - 1)]
    *hidden, last = (
        separable(maps, outputs, (kernel,), padding=padding, activation="relu" if i < repeats - 1 else None)
        for i, maps in enumerate(received)
    )
    body = nn.Sequential(*(_dropped(layer, dropout) for layer in hidden), last)
    return _dropped(Residual(body, shortcut=ConvBlock(inputs, outputs, (1,), activation=None)), dropout)


def _dropped(layer: nn.Module, dropout: float) -> nn.Sequential:
    return chain(layer=layer, dropout=nn.Dropout(dropout))
