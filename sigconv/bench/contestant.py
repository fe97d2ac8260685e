"""The contestants: one network in several implementations."""

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sigconv import layout
from sigconv.bench.case import Case, Suite
from sigconv.bench.channels_last import in_channels_last
from sigconv.bench.twin import torch_twin
from sigconv.convert import channels_last, convert

TORCH, CHANNELS_LAST, COMPILE, SIGCONV = "torch", "torch channels_last", "compile", "sigconv"
"""torch.nn as it is, the 1.0 of all ratios; in its other layout; under torch.compile; and ours."""


@dataclass(frozen=True)
class Setting:
    """The settings of all cases of a run. ``compiles`` says whether torch.compile takes part."""

    device: torch.device
    dtype: torch.dtype
    compiles: bool = True


class Contestant:
    """A network with its input signals and its output's gradient; both passes run as often as they are called."""

    def __init__(self, name: str, network: nn.Module, x: Tensor, case: Case) -> None:
        self.name, self.network, self.classes = name, network, case.classes
        self.x = x.detach().requires_grad_(not case.first)
        self.parameters = list(network.parameters())
        self.target = self._target(network(self.x).detach())

    def forward(self) -> Tensor:
        """The output, computed without gradients."""
        with torch.no_grad():
            return self.network(self.x)

    def step(self) -> Tensor:
        """The output, with the gradients of the parameters, and of x where it needs one, left in their ``grad``."""
        for leaf in (self.x, *self.parameters):
            leaf.grad = None
        y = self.network(self.x)
        self.backward(y)
        return y

    def backward(self, y: Tensor) -> None:
        if self.classes is None:
            y.backward(self.target)
        else:
            F.cross_entropy(y, self.target).backward()

    def _target(self, y: Tensor) -> Tensor:
        """Classes, or the gradient of y: in y's layout, as the next layer would send it back."""
        if self.classes is not None:
            return torch.arange(len(y), device=y.device) % self.classes
        error = torch.randn(y.shape, generator=torch.Generator().manual_seed(1))
        return torch.empty_like(y).copy_(error)


def contestants(case: Case, suite: Suite, setting: Setting) -> list[Contestant]:
    """All but the compiled one, torch first; networks and signals have equal values.

    torch.nn's channels-last has its signals and weights in that layout from the start. Ours has them as the suite says,
    but a first layer's signals are never channels-last, as no layer before it could have made them so.
    """
    made = case.make().to(setting.device, setting.dtype)
    x = torch.randn(case.shape).to(setting.device, setting.dtype)
    last = layout.channels_last(x)
    other = in_channels_last(torch_twin(made), len(case.shape) - 2)
    ours = convert(copy.deepcopy(made))
    if suite.laid_out:
        ours = channels_last(ours)
    return [
        Contestant(TORCH, torch_twin(made), x, case),
        Contestant(CHANNELS_LAST, other, last, case),
        Contestant(SIGCONV, ours, last if suite.handed_on and not case.first else x, case),
    ]


def compiled(plain: Contestant, case: Case) -> Contestant:
    """torch.compile's, ready to run; raises whatever the compiler raises."""
    torch.compiler.reset()  # it refuses to recompile a class too often
    network: nn.Module = torch.compile(copy.deepcopy(plain.network))  # type: ignore[assignment]
    contestant = Contestant(COMPILE, network, plain.x, case)
    contestant.forward()
    contestant.step()
    return contestant
