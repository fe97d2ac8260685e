"""Verification holds for what is right and fails for what is planted wrong."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import sigconv
from sigconv import planner
from sigconv.geometry import Geometry
from sigconv.verification import Verification, cases, proofs, run

vendor, reference = planner.KERNELS["vendor"], planner.KERNELS["reference"]


ALONG_ONE_AXIS = {
    operation: tuple(case for case in of_operation if case.name.startswith("1-D"))
    for operation, of_operation in cases.CASES.items()
}


def _is_small(case: cases.Case) -> bool:
    return all(cases.MANY not in shape for shape in case.shapes)


def _verify(monkeypatch: pytest.MonkeyPatch, *operations: str) -> Verification:
    """Verification along one axis, in a sixth of the small cases: the planted mistakes show there already."""
    chosen = {name: tuple(filter(_is_small, ALONG_ONE_AXIS[name]))[1::6] for name in operations}
    monkeypatch.setattr(run, "CASES", chosen)
    return run.verify_all(dtypes=[torch.float64])


PART = {
    "conv": {"vendor", "numba", "flipped", "fft", "overlap_add", "few_channels", "padded", "pointwise", "winograd"},
    "conv_transpose": {"vendor", "overlap_add"},
    "max_pool": {"vendor", "numba"},
    "rectified_max_pool": {"numba"},
    "convolved_max_pool": {"vendor", "numba"},
    "normalised": {"numba"},
    "normalised_relu": {"numba"},
    "normalised_max_pool": {"numba"},
    "avg_pool": {"vendor"},
    "adaptive_max_pool": {"vendor"},
    "adaptive_avg_pool": {"vendor"},
}
"""Which kernels have a part in which operation, beside the definition."""


@pytest.mark.parametrize("operation", cases.CASES)
def test_every_operation_is_proved(operation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Along one axis, and by random directions where `sigconv verify` takes its time for each number."""
    monkeypatch.setattr(run, "CASES", {operation: ALONG_ONE_AXIS[operation]})
    monkeypatch.setattr(proofs, "MANY_NUMBERS", 50)
    found = run.verify_all()
    assert found, str(found)
    assert {row.kernel for row in found.rows} >= PART[operation] | {"reference"}
    assert {row.dtype for row in found.rows} == {"float64", "float32", "bfloat16", "float16"}
    assert str(found).endswith("All proofs hold.")


def _flipped(right: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A transposed kernel: the window is read backwards."""

    def wrong(w: Tensor, g: Tensor, geometry: Geometry) -> Tensor:
        return right(w.flip(list(range(2, w.ndim))), g, geometry)

    return wrong


def _without_first_offset(right: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def wrong(x: Tensor, g: Tensor, geometry: Geometry) -> Tensor:
        gw = right(x, g, geometry).clone()
        gw[(slice(None), slice(None), *(0,) * geometry.window.ndim)] = 0
        return gw

    return wrong


def _padded_off_by_one(right: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def wrong(x: Tensor, w: Tensor, bias: Tensor | None, geometry: Geometry) -> Tensor:
        return right(x.roll(1, dims=2), w, bias, geometry)

    return wrong


def _with_second_winner(right: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Equal values share the error, as amax does it."""

    def wrong(winner: Tensor, g: Tensor, geometry: Geometry) -> Tensor:
        gx = right(winner, g, geometry)
        return gx + gx.roll(1, dims=-1)

    return wrong


def _slightly_off(right: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def wrong(*operands: Any) -> Tensor:
        return right(*operands) * (1 + 1e-9)

    return wrong


def _last_winner(x: Tensor, geometry: Geometry) -> tuple[Tensor, Tensor]:
    """Of equal values the last wins: right values, right-looking gradients, not torch's."""
    flipped_axes = list(range(2, x.ndim))
    best, winner = reference.max_pool(x.flip(flipped_axes), geometry)
    total = 1
    for n in geometry.size:
        total *= n
    return best.flip(flipped_axes), (total - 1 - winner).flip(flipped_axes)


@pytest.mark.parametrize(
    ("kernel", "operation", "mistake", "caught_in"),
    [
        (vendor, "grad_input", _flipped, "conv"),
        (vendor, "grad_input", _flipped, "conv_transpose"),
        (reference, "grad_input", _flipped, "conv"),
        (vendor, "grad_weight", _without_first_offset, "conv"),
        (reference, "grad_weight", _without_first_offset, "conv"),
        (vendor, "grad_weight", _slightly_off, "conv"),
        (vendor, "forward", _padded_off_by_one, "conv"),
        (reference, "forward", _padded_off_by_one, "conv_transpose"),
        (vendor, "route", _with_second_winner, "max_pool"),
        (reference, "route", _with_second_winner, "max_pool"),
        (reference, "gather", _slightly_off, "max_pool"),
        (vendor, "max_pool", lambda right: _last_winner, "max_pool"),
        (vendor, "sum_pool", _slightly_off, "avg_pool"),
        (vendor, "spread", _slightly_off, "avg_pool"),
        (reference, "spread", _slightly_off, "adaptive_avg_pool"),
    ],
)
def test_planted_mistakes_are_caught(
    kernel: Any, operation: str, mistake: Callable, caught_in: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel, operation, mistake(getattr(kernel, operation)))
    monkeypatch.setattr(planner, "KERNELS", {"vendor": vendor, "reference": reference})
    found = _verify(monkeypatch, caught_in)
    assert not found
    assert "NOT PROVED" in str(found)
    assert any(f"{caught_in} (" in failure for failure in found.failures())


def test_own_layer_with_its_parameters_and_oracle() -> None:
    ours, theirs = sigconv.Conv2d(2, 3, 3, padding=1), nn.Conv2d(2, 3, 3, padding=1)
    found = sigconv.verify(ours, torch.randn(1, 2, 4, 4), oracle=theirs, step=1.0, tolerance=1e-12)
    assert found, str(found)
    assert ours.weight.dtype == torch.float32
    assert not sigconv.verify(
        ours, torch.randn(1, 2, 4, 4), oracle=nn.Conv2d(2, 3, 3, padding=1, padding_mode="circular")
    )


def test_own_module_is_left_as_it_is() -> None:
    model = nn.Sequential(sigconv.Conv1d(2, 3, 3), nn.BatchNorm1d(3), nn.Tanh())
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert sigconv.verify(model, torch.randn(4, 2, 6))
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])


class _WrongSquare(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:  # type: ignore[override]
        return 1.9 * g * ctx.saved_tensors[0]


def test_own_wrong_backward_is_caught() -> None:
    found = sigconv.verify(_WrongSquare.apply, torch.randn(5))
    assert not found
    assert "differences" in found.failures()[0]


class _Wrong(torch.autograd.Function):
    """x @ w + b, with a tenth too little for the gradient by b."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor, b: Tensor) -> Tensor:
        ctx.save_for_backward(x, w)
        return x @ w + b

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, ...]:
        x, w = ctx.saved_tensors
        return g @ w.T, x.T @ g, 0.9 * g.sum(0)


@pytest.mark.parametrize("scale", [1e-9, 1, 3e4])
def test_a_wrong_gradient_beside_large_ones_or_of_small_numbers_is_caught(scale: float) -> None:
    inputs = scale * torch.randn(8, 20), torch.randn(20, 4), scale * torch.randn(4)
    assert sigconv.verify(lambda x, w, b: x @ w + b, *inputs)
    result = sigconv.verify(lambda *operands: _Wrong.apply(*operands), *inputs)
    assert not result
    assert "derivatives by input 2" in str(result)


def test_a_gradient_that_is_zero_but_for_rounding_is_right() -> None:
    """Of a bias that normalisation takes out again."""
    norm = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.Tanh())
    assert sigconv.verify(norm, torch.randn(3, 2, 5, 5), oracle=copy.deepcopy(norm))


def test_own_function_that_forgets_an_input_or_is_random() -> None:
    assert sigconv.verify(lambda x, y: x * 2 + 0 * y, torch.randn(3), torch.randn(3))
    assert not sigconv.verify(nn.Dropout(0.5), torch.randn(50))


def test_integer_inputs_are_passed_on() -> None:
    embedding = nn.Embedding(5, 3)
    assert sigconv.verify(embedding, torch.tensor([1, 2, 2]))


def test_nothing_to_verify_is_an_error() -> None:
    with pytest.raises(sigconv.UsageError, match="no floating-point"):
        sigconv.verify(lambda x: x, torch.arange(3))
    with pytest.raises(sigconv.UsageError, match="oracle of a module"):
        sigconv.verify(sigconv.Conv1d(1, 1, 1), torch.randn(1, 1, 2), oracle=torch.relu)


def test_as_data() -> None:
    data = sigconv.verify(torch.tanh, torch.randn(3)).to_dict()
    assert data["holds"] is True
    assert data["rows"][0]["proofs"][0]["name"] == "differences"
