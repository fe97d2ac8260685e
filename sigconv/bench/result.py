"""The measurements of a case."""

from dataclasses import asdict, dataclass
from typing import Any

from sigconv.bench.contestant import CHANNELS_LAST, SIGCONV, TORCH
from sigconv.bench.roofline import Rates, Work
from sigconv.clock import Timing
from sigconv.window import Sizes

BEST = "best"
FORWARD, STEP = "forward", "step"
PASSES = FORWARD, STEP
"""What is timed: the forward pass without gradients, and forward and backward pass together."""


@dataclass(frozen=True)
class Figures:
    """A contestant's time for each of the :data:`PASSES`, and the bytes it keeps between forward and backward."""

    times: dict[str, Timing]
    saved: int


@dataclass(frozen=True)
class Result:
    """The result of a case, with ``figures`` by contestant and ``work`` by pass."""

    suite: str
    name: str
    kind: str
    shape: Sizes
    first: bool
    figures: dict[str, Figures]
    work: dict[str, Work]

    def of(self, contestant: str) -> Figures | None:
        """A contestant's figures, None if it is missing; those of "best" are torch.nn's in its better layout, each."""
        return self._best() if contestant == BEST else self.figures.get(contestant)

    def _best(self) -> Figures:
        layouts = [self.figures[TORCH], self.figures[CHANNELS_LAST]]
        times = {timed: min((f.times[timed] for f in layouts), key=lambda t: t.median) for timed in PASSES}
        return Figures(times, min(f.saved for f in layouts))

    def ratio(self, contestant: str, timed: str) -> float | None:
        """How many times as fast as torch it was; None if it did not take part."""
        figures = self.of(contestant)
        return None if figures is None else self.figures[TORCH].times[timed].median / figures.times[timed].median

    def to_best(self, timed: str) -> float:
        """How many times as fast as torch in its best layout ours was."""
        return self._best().times[timed].median / self._ours(timed)

    def to_torch(self, timed: str) -> float:
        """How many times as fast as torch ours was."""
        return self.figures[TORCH].times[timed].median / self._ours(timed)

    def spread(self, timed: str) -> float:
        """The largest spread of all contestants."""
        return max(figures.times[timed].spread for figures in self.figures.values())

    def rate(self, timed: str) -> float:
        """Floating-point operations per second of ours."""
        return self.work[timed].flops / self._ours(timed)

    def share(self, timed: str, rates: Rates) -> float:
        """The least time that a machine of these rates needs, relative to ours."""
        return self.work[timed].seconds(rates) / self._ours(timed)

    def to_dict(self, rates: Rates) -> dict[str, Any]:
        rivals = [*(name for name in self.figures if name != TORCH), BEST]
        derived = {
            timed: {
                "ratios": {name: self.ratio(name, timed) for name in rivals},
                "to_best": self.to_best(timed),
                "flops_per_second": self.rate(timed),
                "share_of_roofline": self.share(timed, rates),
            }
            for timed in PASSES
        }
        return asdict(self) | {"derived": derived}

    def _ours(self, timed: str) -> float:
        return self.figures[SIGCONV].times[timed].median
