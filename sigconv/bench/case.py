"""What is measured: a network and its input signals."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import nn

from sigconv.window import Sizes

GPU_BATCH = 64
"""The factor by which batches are larger on a GPU, which those for a CPU would leave idle: computing so few numbers
takes less time than the calls."""


@dataclass(frozen=True)
class Case:
    """A network, or a single layer.

    ``make`` returns it in training mode, of torch.nn's layers or ours: each contestant swaps them for its own kind.
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
    """Cases of similar size: each is measured for about ``seconds``, shared by its passes.

    ``handed_on`` says whether our side gets its signals in channels-last, as a previous layer would pass them on, or as
    a user has them; ``laid_out`` whether our weights are in channels-last, too, or as they are made; ``grows`` whether
    there are :data:`GPU_BATCH` times as many signals on a GPU.
    """

    name: str
    cases: tuple[Case, ...]
    seconds: float
    handed_on: bool = False
    laid_out: bool = True
    grows: bool = True

    def on(self, device: torch.device) -> "Suite":
        """The suite as it is measured there."""
        if device.type == "cpu" or not self.grows:
            return self
        larger = (replace(case, shape=(GPU_BATCH * case.shape[0], *case.shape[1:])) for case in self.cases)
        return replace(self, cases=tuple(larger))
