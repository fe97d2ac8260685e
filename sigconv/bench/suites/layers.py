"""Single layers, of the sizes used for speech and lipreading."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from torch import nn

from sigconv import layers
from sigconv.bench.case import Case, Suite


def _depthwise(name: str, layer: type[nn.Module], shape: tuple[int, ...], kernel: Any, **options: Any) -> Case:
    channels = shape[1]
    kind = "depthwise" if isinstance(kernel, tuple) or kernel < 100 else "depthwise, long"
    return Case(name, kind, partial(layer, channels, channels, kernel, groups=channels, **options), shape)


def _dense() -> Iterator[Case]:
    yield Case("1-D k5, 64 maps", "dense", lambda: nn.Conv1d(64, 64, 5, padding=2), (8, 64, 4000))
    yield Case(
        "1-D k3 dilation 4, 256 maps", "dense", lambda: nn.Conv1d(256, 256, 3, padding=4, dilation=4), (16, 256, 300)
    )
    yield Case("2-D 3x3, 32 maps, spectrogram", "dense", lambda: nn.Conv2d(32, 32, 3, padding=1), (16, 32, 40, 100))
    yield Case("2-D 3x3, 64 maps", "dense", lambda: nn.Conv2d(64, 64, 3, padding=1), (16, 64, 32, 32))
    yield Case(
        "3-D 3x5x5, 32 to 64 maps, lips",
        "dense",
        lambda: nn.Conv3d(32, 64, (3, 5, 5), padding=(1, 2, 2)),
        (4, 32, 20, 10, 16),
    )
    yield Case(
        "3-D 3x1x1, 64 maps, over time",
        "dense",
        lambda: nn.Conv3d(64, 64, (3, 1, 1), padding=(1, 0, 0)),
        (4, 64, 20, 14, 14),
    )


def _first() -> Iterator[Case]:
    yield Case("waveform, 1 to 32, k80/4", "first", lambda: nn.Conv1d(1, 32, 80, 4), (32, 1, 8000), first=True)
    yield Case("waveform, 1 to 128, k80/4", "first", lambda: nn.Conv1d(1, 128, 80, 4), (16, 1, 16000), first=True)
    yield Case(
        "filter bank, 1 to 40, k401/160",
        "first",
        lambda: nn.Conv1d(1, 40, 401, 160, padding=200),
        (16, 1, 16000),
        first=True,
    )
    yield Case(
        "spectrogram, 1 to 24, 3x3", "first", lambda: nn.Conv2d(1, 24, 3, padding=1), (32, 1, 40, 100), first=True
    )
    yield Case(
        "lips, 1 to 32, 3x5x5/1x2x2",
        "first",
        lambda: nn.Conv3d(1, 32, (3, 5, 5), (1, 2, 2), padding=(1, 2, 2)),
        (4, 1, 20, 40, 64),
        first=True,
    )


def _separate() -> Iterator[Case]:
    yield _depthwise("depthwise 1-D k9, 256 maps", nn.Conv1d, (8, 256, 1000), 9, padding=4)
    yield _depthwise("depthwise 1-D k31, 256 maps", nn.Conv1d, (8, 256, 500), 31, padding=15)
    yield _depthwise("depthwise 1-D causal k4, 512 maps", layers.Conv1d, (8, 512, 500), 4, padding="causal")
    yield _depthwise("depthwise 1-D k3 dilation 8, 512 maps", nn.Conv1d, (8, 512, 500), 3, padding=8, dilation=8)
    yield _depthwise("depthwise 1-D k255, 64 maps", nn.Conv1d, (4, 64, 4000), 255, padding=127)
    yield _depthwise("depthwise 1-D k1023, 64 maps", nn.Conv1d, (4, 64, 8000), 1023, padding=511)
    yield _depthwise("depthwise 2-D 7x7, 96 maps", nn.Conv2d, (8, 96, 28, 28), 7, padding=3)
    yield _depthwise("depthwise 2-D 3x3, 64 maps", nn.Conv2d, (16, 64, 20, 50), 3, padding=1)
    yield _depthwise("depthwise 2-D 3x1, 64 maps", nn.Conv2d, (32, 64, 20, 100), (3, 1), padding=(1, 0))
    yield _depthwise(
        "depthwise 2-D 1x3 dilation 4, 64 maps",
        nn.Conv2d,
        (32, 64, 1, 100),
        (1, 3),
        padding=(0, 4),
        dilation=(1, 4),
    )
    yield _depthwise("depthwise 3-D 3x3x3, 64 maps", nn.Conv3d, (4, 64, 16, 20, 20), 3, padding=1)


def _transposed() -> Iterator[Case]:
    yield Case(
        "waveform decoder, 64 to 1, k16/8", "transposed", lambda: nn.ConvTranspose1d(64, 1, 16, 8), (8, 64, 2000)
    )


def _pooling() -> Iterator[Case]:
    most, mean = "max pooling", "average pooling"
    yield Case("max 1-D k4", most, lambda: nn.MaxPool1d(4), (16, 32, 4000))
    yield Case("max 1-D k2", most, lambda: nn.MaxPool1d(2), (16, 32, 4000))
    yield Case("max 2-D 2x2, 64 maps", most, lambda: nn.MaxPool2d(2), (16, 64, 64, 64))
    yield Case("max 2-D 3x3/2, 64 maps", most, lambda: nn.MaxPool2d(3, 2, padding=1), (16, 64, 56, 56))
    yield Case("max 2-D 2x2, 20 maps, digits", most, lambda: nn.MaxPool2d(2), (64, 20, 26, 26))
    yield Case("max 3-D 1x2x2", most, lambda: nn.MaxPool3d((1, 2, 2)), (4, 32, 20, 20, 32))
    yield Case("max 3-D 2x2x2", most, lambda: nn.MaxPool3d(2), (4, 32, 20, 20, 32))
    yield Case(
        "max 3-D 1x3x3/1x2x2",
        most,
        lambda: nn.MaxPool3d((1, 3, 3), (1, 2, 2), padding=(0, 1, 1)),
        (4, 32, 20, 20, 32),
    )
    yield Case("average 2-D 2x2, 64 maps", mean, lambda: nn.AvgPool2d(2), (16, 64, 64, 64))


LAYERS = Suite(
    "layers",
    (*_dense(), *_first(), *_separate(), *_transposed(), *_pooling()),
    seconds=2,
    handed_on=True,
)
