"""Layers and blocks so small that the time is that of the calls."""

from __future__ import annotations

from torch import nn

from sigconv.bench.case import Case, Suite
from sigconv.blocks import ConvBlock


def _ten(layer: type[nn.Module]) -> nn.Module:
    return nn.Sequential(*(layer(8, 8, 3, padding=1) for _ in range(10)))


def _ten_blocks(norm: str | None) -> nn.Module:
    return nn.Sequential(*(ConvBlock(8, 8, (3, 3), padding=1, norm=norm) for _ in range(10)))


def _three_pooled() -> nn.Module:
    return nn.Sequential(*(ConvBlock(8, 8, (3, 3), padding=1, pool=2) for _ in range(3)))


CALLS = Suite(
    "calls",
    (
        Case("ten 1-D layers k3, 8 maps", "calls", lambda: _ten(nn.Conv1d), (1, 8, 32)),
        Case("ten 2-D layers 3x3, 8 maps", "calls", lambda: _ten(nn.Conv2d), (1, 8, 8, 8)),
        Case("ten 2-D blocks 3x3, 8 maps", "blocks", lambda: _ten_blocks(None), (1, 8, 8, 8)),
        Case("ten 2-D blocks 3x3, 8 maps, batch norm", "blocks", lambda: _ten_blocks("batch"), (1, 8, 8, 8)),
        Case("three 2-D blocks 3x3-MP2, 8 maps, batch norm", "blocks", _three_pooled, (1, 8, 16, 16)),
    ),
    seconds=2,
    grows=False,
    laid_out=False,  # along one axis, channels-last would cost each call three views
)
