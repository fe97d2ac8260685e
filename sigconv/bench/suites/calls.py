"""Layers and blocks so small that call overhead dominates."""

from torch import nn

from sigconv.bench.case import Case, Suite
from sigconv.blocks import ConvBlock


def _ten(layer: type[nn.Module]) -> nn.Module:
    return nn.Sequential(*(layer(8, 8, 3, padding=1) for _ in range(10)))


def _blocks(number: int, norm: str | None = "batch", pool: int | None = None) -> nn.Module:
    return nn.Sequential(*(ConvBlock(8, 8, (3, 3), padding=1, norm=norm, pool=pool) for _ in range(number)))


CALLS = Suite(
    "calls",
    (
        Case("ten 1-D layers k3, 8 maps", "calls", lambda: _ten(nn.Conv1d), (1, 8, 32)),
        Case("ten 2-D layers 3x3, 8 maps", "calls", lambda: _ten(nn.Conv2d), (1, 8, 8, 8)),
        Case("ten 2-D blocks 3x3, 8 maps", "blocks", lambda: _blocks(10, norm=None), (1, 8, 8, 8)),
        Case("ten 2-D blocks 3x3, 8 maps, batch norm", "blocks", lambda: _blocks(10), (1, 8, 8, 8)),
        Case("three 2-D blocks 3x3-MP2, 8 maps, batch norm", "blocks", lambda: _blocks(3, pool=2), (1, 8, 16, 16)),
    ),
    seconds=2,
    grows=False,
    laid_out=False,  # along one axis, channels-last would cost each call three views
)
