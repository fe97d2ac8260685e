"""Temporal convolutional networks: dilated convolutions over time with a residual connection around each pair."""

from collections.abc import Sequence

from torch import nn

from sigconv.blocks.compose import Branches, Residual, chain
from sigconv.blocks.conv import ConvBlock
from sigconv.errors import UsageError
from sigconv.layers import Conv
from sigconv.window import padding_of


def tcn(
    in_channels: int,
    width: int,
    kernel_sizes: Sequence[int] = (3, 5, 7),
    levels: int = 4,
    *,
    causal: bool = False,
    dropout: float = 0.2,
) -> nn.Sequential:
    """Levels of :func:`temporal_block` with dilation 1, 2, 4, ...: (batch, in_channels, time) -> (batch, width, time).

    With one kernel size it is the TCN of Bai, Kolter & Koltun, "An empirical evaluation of generic convolutional and
    recurrent networks for sequence modeling", 2018, who use weight normalisation instead of batch normalisation; with
    several, the multi-scale MS-TCN of Martinez, Ma, Petridis & Pantic, "Lipreading using temporal convolutional
    networks", ICASSP 2020, with 3, 5 and 7, four levels and a width of 768.

    Raises:
        UsageError: there is no level, or the maps cannot be divided equally among the kernel sizes.
    """
    if levels < 1:
        raise UsageError(f"tcn: levels is {levels}; it must be at least 1")
    received = [in_channels, *[width] * (levels - 1)]
    return chain(
        **{
            f"level{i + 1}": temporal_block(
                received[i], width, kernel_sizes, dilation=2**i, causal=causal, dropout=dropout
            )
            for i in range(levels)
        }
    )


def temporal_block(
    in_channels: int,
    out_channels: int,
    kernel_sizes: Sequence[int] = (3,),
    *,
    dilation: int = 1,
    causal: bool = False,
    dropout: float = 0.2,
) -> Residual:
    """Two rounds of convolution, batch normalisation, ReLU and dropout, with a residual connection around both.

    (batch, in_channels, time) -> (batch, out_channels, time); the residual connection has a convolution of size 1 where
    the number of maps changes.

    Args:
        kernel_sizes: in frames; each is a branch that gives an equal share of the maps, in both rounds.
        causal: whether no frame sees a later one.
        dropout: share of the activations that is dropped in training, after each round.

    Raises:
        UsageError: the maps cannot be divided equally among the branches.
    """
    if not kernel_sizes or out_channels % len(kernel_sizes):
        raise UsageError(
            f"temporal block: {out_channels} maps cannot be shared out equally among {len(kernel_sizes)} branches, "
            f"one for each kernel size in {tuple(kernel_sizes)}"
        )

    def convolved(inputs: int) -> Branches:
        return Branches(
            ConvBlock(
                inputs,
                out_channels // len(kernel_sizes),
                (size,),
                padding=padding_of("same", 1, causal=causal),
                dilation=dilation,
            )
            for size in kernel_sizes
        )

    body = chain(
        first=convolved(in_channels),
        first_dropout=nn.Dropout(dropout),
        second=convolved(out_channels),
        second_dropout=nn.Dropout(dropout),
    )
    return Residual(body, None if in_channels == out_channels else Conv(in_channels, out_channels, (1,)))
