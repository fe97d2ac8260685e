"""Verification holds for what is right and fails for what is planted wrong."""

import copy
import math
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

import sigconv
from sigconv import planner
from sigconv.errors import UsageError
from sigconv.geometry import Geometry
from sigconv.verification import Verification, cases, differences, run

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
    monkeypatch.setattr(differences, "MANY_NUMBERS", 12)
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


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_own_module_is_left_as_it_is(dtype: torch.dtype) -> None:
    model = nn.Sequential(sigconv.Conv1d(2, 3, 3), nn.BatchNorm1d(3), nn.Tanh()).to(dtype)
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


class _WrongAtZero(_WrongSquare):
    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:  # type: ignore[override]
        return 2 * g * ctx.saved_tensors[0] + g


def test_a_gradient_that_is_zero_but_for_rounding_is_right() -> None:
    """Of a bias that normalisation takes out again."""
    norm = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.Tanh())
    assert sigconv.verify(norm, torch.randn(3, 2, 5, 5), oracle=copy.deepcopy(norm))


def test_own_function_that_forgets_an_input() -> None:
    assert sigconv.verify(lambda x, y: x * 2 + 0 * y, torch.randn(3), torch.randn(3))


def test_integer_inputs_are_passed_on() -> None:
    embedding = nn.Embedding(5, 3)
    assert sigconv.verify(embedding, torch.tensor([1, 2, 2]))


class _Slope(torch.autograd.Function):
    """3 x, with a share of its gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, share: float) -> Tensor:
        ctx.share = share
        return 3 * x

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        return 3 * ctx.share * g, None


@pytest.mark.parametrize("scale", [1e-8, 1, 1e5, 1e8])
def test_inputs_of_any_size_hide_no_mistake(scale: float) -> None:
    x = scale * torch.randn(2, 3)
    assert sigconv.verify(lambda x: 3 * x, x)
    for share in (-1, 0.99, 1.001):
        found = sigconv.verify(lambda x, share=share: _Slope.apply(x, share), x)
        assert not found, share
        assert "inf" not in str(found)


class _OneWrong(_WrongSquare):
    """The square, with a hundredth too much in one number of its gradient."""

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:  # type: ignore[override]
        wrong = torch.ones_like(g)
        wrong[1, 2] = 1.01
        return 2 * g * ctx.saved_tensors[0] * wrong


def test_what_is_wrong_is_said_with_its_place_and_its_size() -> None:
    found = sigconv.verify(_OneWrong.apply, 1 + torch.rand(3, 4))
    (failure,) = found.failures()
    assert "in _OneWrong, derivatives by input 0 at [1, 2], where the backward pass gives" in failure
    assert 1e-4 < found.rows[0].proofs[1].error < 1e-1


class _Squared(torch.autograd.Function):
    """With a backward pass in NumPy, as students write it."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.x = x.detach().numpy()
        return torch.from_numpy(ctx.x**2)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:  # type: ignore[override]
        return torch.from_numpy(2 * ctx.x * g.detach().numpy())


class _SquaredAttached(_Squared):
    """The same without a thought for who differentiates it again."""

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:  # type: ignore[override]
        return torch.from_numpy(2 * ctx.x * g.numpy())


class _SquaredOnce(_Squared):
    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> Tensor:  # type: ignore[override]
        return 2 * torch.from_numpy(ctx.x) * g


class _SquaredSilently(_WrongSquare):
    """Its gradient comes from a function that has none, and does not say why."""

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:  # type: ignore[override]
        return _Final.apply(2 * ctx.saved_tensors[0] * g)


class _Final(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:  # type: ignore[override]
        raise NotImplementedError


class _SquaredTwiceWrong(torch.autograd.Function):
    """Its first derivative is right, but does not know that it depends on x."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.x = x.detach()
        return x * x

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:  # type: ignore[override]
        return 2 * ctx.x * g


def test_a_backward_pass_that_has_none_itself_is_proved_by_first_derivatives() -> None:
    for function in (_Squared, _SquaredAttached, _SquaredOnce, _SquaredSilently):
        found = sigconv.verify(function.apply, torch.randn(4), oracle=torch.square)
        assert found, str(found)
        assert "First derivatives alone" in str(found)
    found = sigconv.verify(_SquaredTwiceWrong.apply, torch.randn(4))
    assert "derivatives second" in found.failures()[0]


class _Undefined(_WrongSquare):
    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:  # type: ignore[override]
        return g * torch.nan


def test_gradients_that_are_not_finite_are_wrong() -> None:
    assert "derivatives by input 0, which are not finite" in str(sigconv.verify(_Undefined.apply, torch.randn(3)))


class _OneOfMany(_WrongSquare):
    """The square, with too little at one of many places of its gradient."""

    place, share = 0, 1.0

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:  # type: ignore[override]
        right = 2 * g * ctx.saved_tensors[0]
        right.view(-1)[_OneOfMany.place] *= _OneOfMany.share
        return right


@pytest.mark.parametrize(("share", "side"), [(0.9, 40), (1 - 1e-3, 30)])
@pytest.mark.parametrize("place", range(4))
def test_a_single_mistake_among_many_numbers_is_caught(
    place: int, share: float, side: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_OneOfMany, "place", place)
    monkeypatch.setattr(_OneOfMany, "share", share)
    assert not sigconv.verify(_OneOfMany.apply, 1 + torch.rand(1, 1, side, side))


class _BiasForgotten(_Wrong):
    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        return *_Wrong.backward(ctx, g)[:2], None


def test_a_missing_gradient_is_said_with_both_numbers() -> None:
    found = sigconv.verify(_BiasForgotten.apply, torch.randn(30, 20), torch.randn(20, 4), torch.randn(4))
    assert re.search(r"by input 2 at \[\d\], where the backward pass gives 0 and differences -?\d", str(found))


class _InPlace(torch.autograd.Function):
    """ReLU that sets to 0 what comes in."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.relu()

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:  # type: ignore[override]
        g[ctx.saved_tensors[0] < 0] = 0
        return g


class _Consumed(torch.autograd.Function):
    """tanh that multiplies what it kept by what comes in, where it is."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.slope = 1 - x.tanh().square()
        return x.tanh()

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:  # type: ignore[override]
        ctx.slope *= g
        return ctx.slope


class _Forgetful(nn.Module):
    """Multiplies by a weight, and keeps its input for the backward pass as if there was only one call."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3))

    def forward(self, x: Tensor) -> Tensor:
        return _Product.apply(self, x, self.weight)


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, layer: Any, x: Tensor, w: Tensor) -> Tensor:
        ctx.layer, layer.x, layer.w = layer, x.detach().numpy(), w.detach().numpy()
        return torch.from_numpy(layer.x * layer.w)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        errors = g.detach().numpy()
        return None, torch.from_numpy(errors * ctx.layer.w), torch.from_numpy((errors * ctx.layer.x).sum(0))


class _Masked(nn.Module):
    """ReLU that keeps on the module where its last input was above 0."""

    def forward(self, x: Tensor) -> Tensor:
        return _Mask.apply(self, x)


class _Mask(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, layer: Any, x: Tensor) -> Tensor:  # type: ignore[override]
        ctx.layer, layer.mask = layer, x > 0
        return x.relu()

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        return None, g * ctx.layer.mask


class _Magnitude(_WrongSquare):
    """The square, whose backward pass ignores the sign of what comes in."""

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:  # type: ignore[override]
        return 2 * g.abs() * ctx.saved_tensors[0]


class _Flat(_WrongSquare):
    """The square, by a backward pass that takes what comes in for contiguous."""

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:  # type: ignore[override]
        return (g.view(-1) * 2 * ctx.saved_tensors[0].flatten()).view(g.shape)


class _Once(_WrongSquare):
    """The square, whose backward pass throws away what it needs."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.x = x
        return x * x

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:  # type: ignore[override]
        x = ctx.x
        del ctx.x
        return 2 * g * x


class _Sole(_WrongSquare):
    """x * y, whose gradient by y is wrong if x needs none."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor) -> Tensor:  # type: ignore[override]
        ctx.save_for_backward(x, y)
        return x * y

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, ...]:  # type: ignore[override]
        x, y = ctx.saved_tensors
        return g * y, g * (x if ctx.needs_input_grad[0] else y)


@pytest.mark.parametrize(
    ("target", "inputs", "answer"),
    [
        (_InPlace.apply, 1, "_InPlace, whose backward pass changes the gradient that it is given"),
        (_Consumed.apply, 1, "_Consumed, when its backward pass is called again"),
        (_Forgetful(), 1, "_Forgetful, when it is called with other numbers before its backward pass"),
        (_Masked(), 1, "_Masked, when it is called with other numbers before its backward pass"),
        (_Magnitude.apply, 1, "_Magnitude, when the incoming gradient comes in two parts"),
        (
            _Flat.apply,
            1,
            "_Flat, when the incoming gradient lies in memory in another order, which raises RuntimeError",
        ),
        (_Once.apply, 1, "_Once, when its backward pass is called again, which raises AttributeError"),
        (_Sole.apply, 2, "_Sole, when only input 1 needs a gradient"),
    ],
)
def test_a_backward_pass_that_is_right_only_once_is_wrong(target: Any, inputs: int, answer: str) -> None:
    failures = sigconv.verify(target, *(torch.randn(4, 3) for _ in range(inputs))).failures()
    assert "calls: an error of" in failures[0]
    assert answer in failures[0]


@pytest.mark.parametrize(
    ("target", "x"),
    [
        (torch.log, torch.full((3,), 1e-4)),
        (torch.tanh, torch.randn(3, 4).T),
        (nn.Embedding(5, 3, sparse=True), torch.tensor([1, 2, 2])),
        (lambda x: nn.functional.max_pool1d(x, 3), torch.tensor([[0.1, 0.3, 0.3 + 1e-7, 0.2, 0.5, -1.0]]).double()),
        (torch.reciprocal, torch.full((3,), 3e-4)),
        (lambda x: x / x.norm(), 1e-4 * torch.arange(1, 6)),
        (nn.LayerNorm(6, bias=False), 1e3 + torch.arange(18).reshape(3, 6).sin()),
    ],
    ids=["log", "transposed", "sparse", "almost equal", "reciprocal", "direction", "far from 0"],
)
def test_what_is_right_is_told_so_where_it_is_hard_to_see(target: Any, x: Tensor) -> None:
    assert sigconv.verify(target, x)


def test_a_layer_may_work_in_place() -> None:
    assert sigconv.verify(nn.Sequential(nn.ReLU(inplace=True), nn.Conv1d(2, 1, 2)), torch.randn(1, 2, 5))
    assert sigconv.verify(lambda x: x.mul_(2), torch.randn(3))


def test_without_gradients_around_it_verifies_all_the_same() -> None:
    with torch.no_grad():
        assert sigconv.verify(torch.tanh, torch.randn(3))
        assert not sigconv.verify(_WrongSquare.apply, torch.randn(3))


def test_nothing_is_drawn_from_the_callers_generator() -> None:
    x, state = torch.randn(3), torch.get_rng_state()
    sigconv.verify(torch.tanh, x)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("target", "x", "answer"),
    [
        (lambda x: x, torch.arange(3), "no floating-point"),
        (nn.Dropout(0.5), torch.randn(50), r"Dropout gives something else at each call; .*\.eval\(\)"),
        (nn.LSTM(3, 2), torch.randn(4, 3), r"LSTM gives a tuple, not a tensor; .* whose forward returns self.layer"),
        (_Slope, torch.randn(3), r"give _Slope\.apply"),
        (lambda x: x.argmax(), torch.randn(3), r"torch\.int64\) has no gradient"),
        (lambda x: x.detach() * 2, torch.randn(3), "has no gradient"),
        (lambda x: 2 * x.float(), torch.randn(3), r"gives torch\.float32 for float64"),
        (lambda x: 2 * x.bfloat16(), torch.randn(3), r"gives torch\.bfloat16 for float64"),
        (lambda x: _Slope.apply(x, -1) + 1e9, torch.randn(3), "by input 0 is lost in the rounding of its output"),
        (lambda x: _Slope.apply(x, 0) + 1e9, torch.randn(3), "by input 0 is lost in the rounding of its output"),
        (lambda x: nn.functional.binary_cross_entropy(x, x), torch.tensor([1.0, 0.5]), "RuntimeError .* by a lambda"),
        (torch.tanh, torch.tensor([1.0, torch.inf]), "input 0 of tanh has NaN or infinity"),
        (torch.tanh, torch.eye(3).to_sparse(), "input 0 of tanh is sparse"),
        (lambda x: x.float().tanh().double(), torch.randn(3), "rounds more coarsely than float64"),
        (torch.sqrt, torch.tensor([0.0, 4.0]), "sqrt gives NaN or infinity within 2e-08 of input 0"),
        (torch.sin, 1e6 * torch.randn(3), "sin changes so fast with input 0"),
        (torch.sqrt, -torch.ones(3), "sqrt gives NaN or infinity for these inputs"),
        (torch.fft.fft, torch.randn(4), r"complex numbers; prove torch\.view_as_real"),
        (torch.abs, torch.randn(4, dtype=torch.complex64), "input 0 of abs is complex"),
        (torch.abs, torch.zeros(0, 3), "input 0 of abs is empty"),
        (lambda x: x[:0], torch.randn(3), "gives an empty tensor"),
        (torch.tanh, torch.randn(3).numpy(), r"is a ndarray, not a tensor; torch\.as_tensor"),
    ],
)
def test_what_differences_tell_nothing_of_is_an_error(target: Any, x: Any, answer: str) -> None:
    with pytest.raises(sigconv.UsageError, match=answer):
        sigconv.verify(target, x)


def test_an_oracle_has_the_same_parameters_and_shapes_and_gets_the_buffers() -> None:
    x = torch.randn(1, 2, 4, 4)
    with pytest.raises(sigconv.UsageError, match=r"of PReLU are weight, and those of the target bias, weight; .*names"):
        sigconv.verify(nn.Conv2d(2, 3, 3), x, oracle=nn.PReLU())
    with pytest.raises(sigconv.UsageError, match=r"gives \(1, 3, 4, 4\), and Conv2d \(1, 3, 2, 2\); an oracle"):
        sigconv.verify(nn.Conv2d(2, 3, 3, padding=1), x, oracle=nn.Conv2d(2, 3, 3))
    norm = nn.BatchNorm1d(3)
    norm(5 + torch.randn(9, 3))
    assert sigconv.verify(norm.eval(), torch.randn(4, 3), oracle=nn.BatchNorm1d(3).eval())


def test_where_an_oracle_differs_is_said() -> None:
    around = nn.Conv1d(2, 3, 3, padding=1, padding_mode="circular")
    found = sigconv.verify(nn.Conv1d(2, 3, 3, padding=1), torch.randn(1, 2, 4), oracle=around)
    assert re.search("in Conv1d, whose (output|gradient by (input 0|weight)) differs", found.failures()[0])


def test_an_oracle_of_a_module_is_a_module() -> None:
    with pytest.raises(sigconv.UsageError, match="oracle of a module"):
        sigconv.verify(sigconv.Conv1d(1, 1, 1), torch.randn(1, 1, 2), oracle=torch.relu)


def test_as_data() -> None:
    data = sigconv.verify(torch.tanh, torch.randn(3)).to_dict()
    assert data["holds"] is True
    assert [proof["name"] for proof in data["rows"][0]["proofs"]] == ["calls", "differences"]


@pytest.mark.parametrize(
    ("target", "x"),
    [
        (sigconv.MaxPool2d(2), torch.ones(1, 1, 4, 4)),
        (torch.relu, torch.zeros(2, 3)),
        (nn.Sequential(nn.Conv2d(1, 2, 3, bias=False), nn.ReLU()), torch.eye(8)[None, None] * torch.rand(8)),
    ],
    ids=["a maximum of equals", "ReLU at 0", "a picture with empty parts"],
)
def test_where_there_is_no_derivative_none_is_called_wrong(target: Callable[..., Tensor], x: Tensor) -> None:
    with pytest.raises(UsageError, match="has no derivative by input 0 at these numbers"):
        sigconv.verify(target, x)


@pytest.mark.parametrize(("option", "value"), [("step", 0), ("step", math.inf), ("tolerance", math.nan)])
def test_steps_and_tolerances_are_above_0(option: str, value: float) -> None:
    with pytest.raises(UsageError, match=f"{option} is {value}; it is a number above 0"):
        sigconv.verify(torch.tanh, torch.randn(3), **{option: value})


def test_a_gradient_that_another_input_hides_is_told() -> None:
    x, w = torch.randn(3), torch.randn(3)
    assert not sigconv.verify(lambda x, w: 1e6 * x + _Slope.apply(w, -1), x, w)
    with pytest.raises(UsageError, match="by input 1 is lost in the rounding"):
        sigconv.verify(lambda x, w: 1e9 * x + _Slope.apply(w, -1), x, w)


def test_a_wrong_one_is_not_taken_for_none() -> None:
    assert not sigconv.verify(_WrongAtZero.apply, torch.zeros(3))
    assert not sigconv.verify(_OneWrong.apply, torch.randn(3, 4))
