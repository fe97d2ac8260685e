"""What is measured beside time, and the arithmetic on what is measured."""

import math

import pytest
import torch
from torch import nn

from sigconv.bench.case import Case
from sigconv.bench.contestant import CHANNELS_LAST, SIGCONV, TORCH, Contestant, Setting
from sigconv.bench.result import BEST, FORWARD, PASSES, STEP, Figures, Result
from sigconv.bench.roofline import Rates, Work, count_work, measure_rates
from sigconv.bench.saved import saved_bytes
from sigconv.bench.summary import summarise
from sigconv.clock import Timing

FLOAT = 4


def _contestant(network: nn.Module, shape: tuple[int, ...], first: bool = False) -> Contestant:
    return Contestant("any", network, torch.randn(shape), Case("any", "any", lambda: network, shape, first))


def test_saved_bytes_are_those_of_the_activations() -> None:
    net = nn.Sequential(nn.Conv1d(2, 3, 5), nn.ReLU(), nn.MaxPool1d(2))
    x, y, pooled = 4 * 2 * 104, 4 * 3 * 100, 4 * 3 * 50
    # The convolution keeps x; ReLU and max pooling share the former's output; the winners are int64.
    kept = FLOAT * y + 8 * pooled
    assert saved_bytes(_contestant(net, (4, 2, 104))) == FLOAT * x + kept
    assert saved_bytes(_contestant(net, (4, 2, 104), first=True)) == kept


def test_saved_bytes_of_functions_of_ones_own() -> None:
    class Square(torch.autograd.Function):
        @staticmethod
        def forward(ctx: torch.autograd.function.FunctionCtx, x: torch.Tensor) -> torch.Tensor:
            ctx.save_for_backward(x.half())
            return x * x

        @staticmethod
        def backward(ctx: torch.autograd.function.FunctionCtx, g: torch.Tensor) -> torch.Tensor:
            return 2 * g * ctx.saved_tensors[0]

    class Squared(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return Square.apply(x)

    assert saved_bytes(_contestant(Squared(), (4, 2, 10))) == 2 * 80


@pytest.mark.parametrize("groups", [1, 4])
def test_work_is_counted_by_the_definition(groups: int) -> None:
    net = nn.Sequential(nn.Conv1d(4, 8, 5, groups=groups, bias=False), nn.Flatten(), nn.Linear(8 * 16, 3, bias=False))
    conv, linear = 2 * (2 * 8 * 16) * (4 // groups) * 5, 2 * (2 * 3) * (8 * 16)
    weights = 8 * (4 // groups) * 5 + 3 * 8 * 16
    moved = FLOAT * (2 * 4 * 20 + 2 * 3 + weights)
    assert count_work(_contestant(net, (2, 4, 20))) == (
        Work(conv + linear, moved),
        Work(3 * (conv + linear), 2 * moved),
    )
    _, step = count_work(_contestant(net, (2, 4, 20), first=True))
    assert step == Work(2 * conv + 3 * linear, 2 * moved - FLOAT * 2 * 4 * 20)


def test_work_of_a_transposed_convolution_is_that_of_the_convolution() -> None:
    forward, _ = count_work(_contestant(nn.ConvTranspose1d(6, 2, 4, 3), (2, 6, 10)))
    assert forward.flops == 2 * (2 * 6 * 10) * 2 * 4


def test_a_roofline_has_a_slope_and_a_ceiling() -> None:
    rates = Rates(flops=100, bandwidth=10)
    assert Work(flops=1000, bytes=10).seconds(rates) == 10
    assert Work(flops=1000, bytes=1000).seconds(rates) == 100


def test_the_machine_has_rates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sigconv.bench.roofline.SIZES", {"cpu": (64,)})
    monkeypatch.setattr("sigconv.bench.roofline.COPIED", 1 << 16)
    rates = measure_rates(Setting(torch.device("cpu"), torch.float32), lambda: None)
    assert rates.flops > 0
    assert rates.bandwidth > 0


def _result(name: str, kind: str, torch_ms: float, last_ms: float, ours_ms: float) -> Result:
    def figures(seconds: float, saved: int) -> Figures:
        return Figures({FORWARD: Timing(seconds, 0.1, 7), STEP: Timing(3 * seconds, 0.2, 7)}, saved)

    sides = {TORCH: figures(torch_ms, 800), CHANNELS_LAST: figures(last_ms, 700), SIGCONV: figures(ours_ms, 100)}
    return Result("layers", name, kind, (2, 3, 4), False, sides, {timed: Work(60, 30) for timed in PASSES})


def test_ratios() -> None:
    result = _result("a", "dense", 8.0, 4.0, 2.0)
    assert result.ratio(SIGCONV, FORWARD) == result.to_torch(STEP) == 4
    assert result.ratio(BEST, FORWARD) == result.to_best(FORWARD) == 2
    assert result.ratio("compile", FORWARD) is None
    assert result.of(BEST).saved == 700
    assert result.rate(FORWARD) == 30
    assert result.share(FORWARD, Rates(flops=60, bandwidth=60)) == 0.5


def test_means_are_geometric_and_the_worst_have_names() -> None:
    results = [_result("a", "dense", 8, 4, 2), _result("b", "dense", 9, 20, 9), _result("c", "pooling", 1, 1, 2)]
    dense, _, pooling, _, whole, _ = summarise(results)
    assert (dense.kind, dense.cases, dense.timed) == ("dense", 2, FORWARD)
    assert dense.means[SIGCONV] == pytest.approx(2)
    assert dense.means["compile"] is None
    assert dense.worst == (1, "b")
    assert pooling.worst == (0.5, "c")
    assert (whole.kind, whole.cases) == ("all", 3)
    assert whole.means[SIGCONV] == pytest.approx(math.cbrt(4 * 1 * 0.5))
    assert whole.to_best == pytest.approx(math.cbrt(2 * 1 * 0.5))
