"""Contestants that differ are found, and rounding is not taken for a difference."""

import copy

import pytest
import torch
from torch import Tensor, nn

from sigconv.bench import equal
from sigconv.bench.case import Case, Suite
from sigconv.bench.contestant import Contestant, Setting, contestants
from sigconv.bench.equal import DifferentError, check_equal
from sigconv.layers import Conv1d


class WrongOutput(Conv1d):
    def forward(self, x: Tensor) -> Tensor:
        return 1.001 * super().forward(x)


class WrongGradient(Conv1d):
    """The output is right, its gradients are a tenth too large."""

    def forward(self, x: Tensor) -> Tensor:
        y = super().forward(x)
        return y + 0.1 * (y - y.detach())


def _check(layer: type[nn.Module], dtype: torch.dtype = torch.float32) -> None:
    case = Case("a layer", "dense", lambda: layer(4, 4, 3), (2, 4, 50))
    plain, *others = contestants(case, Suite("alone", (case,), seconds=0), Setting(torch.device("cpu"), dtype))
    check_equal(case, plain, others)


def test_equal_layers_are_equal() -> None:
    _check(Conv1d)
    _check(Conv1d, torch.bfloat16)


def test_a_wrong_output_is_found() -> None:
    with pytest.raises(DifferentError, match=r"sigconv: output is off by 0\.001 where"):
        _check(WrongOutput)


def test_wrong_gradients_are_found() -> None:
    with pytest.raises(DifferentError, match=r"sigconv: gradient of the input is off by 0\.1 where"):
        _check(WrongGradient)


def test_what_is_not_a_number_is_no_equal() -> None:
    class NoNumber(Conv1d):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) * float("nan")

    with pytest.raises(DifferentError, match="output is off by nan"):
        _check(NoNumber)


def test_beyond_the_tolerance_torch_itself_tells_what_rounding_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(equal, "TOLERANCES", {torch.float32: (0.0, 0.0)})
    _check(Conv1d)
    with pytest.raises(DifferentError, match=r"sigconv: output is off by 0\.001 where"):
        _check(WrongOutput)


def test_what_rounding_leaves_of_a_gradient_that_cancels_does_not_count() -> None:
    """That of a bias before a normalisation."""

    class Detour(nn.Module):
        """One more rounding, since the number is not a power of 2."""

        def forward(self, x: Tensor) -> Tensor:
            return x * 3 / 3

    conv, norm = nn.Conv1d(16, 16, 1), nn.BatchNorm1d(16)
    case = Case("any", "any", lambda: conv, (8, 16, 100))
    x = torch.randn(case.shape)
    plain, other = (
        Contestant(type(way).__name__, copy.deepcopy(nn.Sequential(way, conv, norm)), x, case)
        for way in (nn.Identity(), Detour())
    )
    check_equal(case, plain, [other])
    (_, a, *_), (_, b, *_) = ([p.grad for p in contestant.parameters] for contestant in (plain, other))
    assert (a - b).norm() > 0.1 * b.norm()
