"""Blocks of convolution, ReLU and max pooling, without and with batch normalisation, of the recipes' sizes."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from sigconv.bench.case import Case, Suite
from sigconv.blocks import ConvBlock
from sigconv.window import Sizes


def _both(name: str, shape: Sizes, maps: int, kernel: Sizes, *, first: bool = False, **options: Any) -> Iterator[Case]:
    """The block as it is and with normalisation."""
    for norm, kind in ((None, "conv-ReLU-max"), ("batch", "conv-norm-ReLU-max")):
        make = partial(ConvBlock, shape[1], maps, kernel, norm=norm, **options)
        yield Case(f"{name}, {norm} norm" if norm else name, kind, make, shape, first)


def _cases() -> Iterator[Case]:
    yield from _both("waveform 32C80/4-MP4", (16, 1, 8000), 32, (80,), first=True, stride=4, pool=4)
    yield from _both("waveform 64C3-MP4", (16, 32, 500), 64, (3,), pool=4)
    yield from _both("digits 16C5-MP2", (128, 1, 28, 28), 16, (5, 5), first=True, pool=2)
    yield from _both("digits 32C5-MP2", (128, 16, 12, 12), 32, (5, 5), pool=2)
    yield from _both("spectrogram 48C3-MP2", (32, 24, 20, 50), 48, (3, 3), padding="same", pool=2)
    yield from _both(
        "lips 16C3x5x5/1x2x2-MP1x2x2",
        (4, 1, 20, 40, 64),
        16,
        (3, 5, 5),
        first=True,
        stride=(1, 2, 2),
        padding="same",
        pool=(1, 2, 2),
    )
    yield from _both("lips 32C3-MP2", (4, 16, 20, 10, 16), 32, (3, 3, 3), padding="same", pool=2)


BLOCKS = Suite("blocks", tuple(_cases()), seconds=4, handed_on=True)
