"""Layers so small that the time is that of the calls."""

from __future__ import annotations

from torch import nn

from sigconv.bench.case import Case, Suite


def _ten(layer: type[nn.Module]) -> nn.Module:
    return nn.Sequential(*(layer(8, 8, 3, padding=1) for _ in range(10)))


CALLS = Suite(
    "calls",
    (
        Case("ten 1-D layers k3, 8 maps", "calls", lambda: _ten(nn.Conv1d), (1, 8, 32)),
        Case("ten 2-D layers 3x3, 8 maps", "calls", lambda: _ten(nn.Conv2d), (1, 8, 8, 8)),
    ),
    seconds=2,
    grows=False,
    laid_out=False,  # along one axis, channels-last would cost each call three views
)
