"""What is measured: a network and the signals that it is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import nn

from sigconv.window import Sizes

GPU_BATCH = 64
"""How many times as many signals are in a batch on a GPU, which those for a CPU would leave idle: so few numbers take
less time than their calls."""


@dataclass(frozen=True)
class Case:
    """A network, or a single layer.

    ``make`` gives it in training mode, of torch.nn's layers or of ours: each contestant swaps them for its own kind.
    ``shape`` is (batch, channels, \\*size). The signals of a ``first`` layer are data, which need no gradient. Where
    there are ``classes``, the output is a score of each, (batch, classes), and a step begins with their cross entropy.
    """

    name: str
    kind: str
    make: Callable[[], nn.Module]
    shape: Sizes
    first: bool = False
    classes: int | None = None


@dataclass(frozen=True)
class Suite:
    """Cases of a size: each is measured for about ``seconds``, shared by its passes.

    ``handed_on`` says whether our side is given its signals in channels-last, as the layer before would hand them on,
    or as a user has them; ``laid_out`` whether our weights are in channels-last, too, or as they are made;
    ``grows`` whether there are :data:`GPU_BATCH` times as many signals on a GPU.
    """

    name: str
    cases: tuple[Case, ...]
    seconds: float
    handed_on: bool = False
    laid_out: bool = True
    grows: bool = True

    def on(self, device: torch.device) -> Suite:
        """The suite as it is measured there."""
        if device.type == "cpu" or not self.grows:
            return self
        larger = (replace(case, shape=(GPU_BATCH * case.shape[0], *case.shape[1:])) for case in self.cases)
        return replace(self, cases=tuple(larger))
