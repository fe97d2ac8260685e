"""Max pooling in Triton is the definition's, winners included; errors go to the winners and to nobody else."""

import math
from functools import partial

import pytest
import torch
from geometries import Drawn, drawn_windows
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from sigconv import planner
from sigconv.blocks import ConvBlock
from sigconv.geometry import Geometry
from sigconv.kernels import reference
from sigconv.kernels import triton as kernels
from sigconv.kernels.problem import NO_WINNER
from sigconv.layout import channels_last, is_channels_last
from sigconv.verification import proofs
from sigconv.window import Window

DTYPES = [torch.float32, torch.bfloat16, torch.float16]
drawn = settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
equal = partial(torch.testing.assert_close, rtol=0, atol=0, equal_nan=True)


def _is_quick(case: Drawn) -> bool:
    """No window sees padding only; and few tiles, for the interpreter takes milliseconds for each place in each."""
    numbers = max(math.prod(case.size), math.prod(case.window.output_size(case.size)))
    return case.window.blind_axis(case.size) is None and case.window.places * numbers <= 200


quick_windows = drawn_windows().filter(_is_quick)


def _assert_laid_out_like(signal: Tensor, found: Tensor) -> None:
    assert is_channels_last(found) if is_channels_last(signal) else found.is_contiguous()


def _signal(geometry: Geometry, last: bool, channels: int = 3) -> Tensor:
    """Few different numbers, so that there are ties; NaN and infinities."""
    numbers = torch.tensor([-2.0, -1.0, 0.0, 1.0, 2.0, math.nan, math.inf, -math.inf])
    chance = torch.tensor([3.0, 3.0, 3.0, 3.0, 3.0, 0.5, 0.5, 2.0])
    shape = (2, channels, *geometry.size)
    x = numbers[torch.multinomial(chance, math.prod(shape), replacement=True)].reshape(shape)
    return channels_last(x) if last else x


@drawn
@given(drawn_windows(half_padded=True).filter(_is_quick), st.booleans())
def test_winners_are_the_definitions(triton_device: str, case: Drawn, last: bool) -> None:
    geometry = Geometry(case.window, case.size)
    x = _signal(geometry, last)
    best, winner = kernels.max_pool(x.to(triton_device), geometry)
    expected, index = reference.max_pool(x, geometry)
    equal(best.cpu(), expected)
    equal(geometry.index_of(winner.cpu()), index)
    assert winner.dtype == torch.uint8
    _assert_laid_out_like(x, best)
    _assert_laid_out_like(x, winner)


@drawn
@given(quick_windows, st.booleans())
def test_errors_go_to_the_winners(triton_device: str, case: Drawn, last: bool) -> None:
    geometry = Geometry(case.window, case.size)
    x, g = (t.to(triton_device) for t in _numbers(geometry, last))
    winner = kernels.rectified_max_pool(x, torch.ones(3).to(x), torch.zeros(3).to(x), geometry)[1]
    gx = kernels.route(winner, g, geometry)
    equal(gx.cpu(), reference.route(winner.cpu(), g.cpu(), geometry))
    _assert_laid_out_like(g, gx)


def _numbers(geometry: Geometry, last: bool) -> tuple[Tensor, Tensor]:
    x, g = (torch.randint(-3, 4, (2, 3, *size)).float() for size in (geometry.size, geometry.output_size))
    return (channels_last(x), channels_last(g)) if last else (x, g)


@drawn
@given(quick_windows, st.booleans())
def test_rectified(triton_device: str, case: Drawn, last: bool) -> None:
    geometry = Geometry(case.window, case.size)
    x, _ = _numbers(geometry, last)
    scale, shift = torch.tensor([2.0, -1.0, 0.0]), torch.tensor([-1.0, 0.0, 1.0])
    y, winner = kernels.rectified_max_pool(*(t.to(triton_device) for t in (x, scale, shift)), geometry)
    expected, expected_winner = reference.rectified_max_pool(x, scale, shift, geometry)
    equal(y.cpu(), expected)
    equal(winner.cpu(), expected_winner)


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
def test_normalised(triton_device: str, dtype: torch.dtype, last: bool) -> None:
    geometry = Geometry(Window.parse((2, 3), 2, (0, 1)), (4, 7))
    x, weight, bias = torch.randn(2, 3, 4, 7), torch.tensor([1.0, -2.0, 0.5]), torch.tensor([0.0, 0.3, 0.7])
    x, weight, bias = (t.to(dtype) for t in (channels_last(x) if last else x, weight, bias))
    close = partial(torch.testing.assert_close, rtol=16 * torch.finfo(dtype).eps, atol=16 * torch.finfo(dtype).eps)

    found = kernels.normalised_max_pool(*(t.to(triton_device) for t in (x, weight, bias)), 1e-5, geometry)
    expected = reference.normalised_max_pool(x, weight, bias, 1e-5, geometry)
    for a, b in ((found[0], expected[0]), *zip(found[2:], expected[2:], strict=True)):
        close(a.cpu(), b)

    y, winner, mean, var = expected
    operands = x, winner, torch.randn(y.shape).to(dtype), weight, mean, var
    found = kernels.grad_normalised_max_pool(*(t.to(triton_device) for t in operands), 1e-5, geometry)
    for a, b in zip(found, reference.grad_normalised_max_pool(*operands, 1e-5, geometry), strict=True):
        close(a.cpu(), b)
    _assert_laid_out_like(x, found[0])


def test_rectified_with_nan(triton_device: str) -> None:
    x = torch.tensor([[[math.nan, 1.0, -1.0, -2.0]]], device=triton_device)
    one, geometry = torch.ones(1, device=triton_device), Geometry(Window.parse((2,), 2), (4,))
    y, winner = kernels.rectified_max_pool(x, one, one, geometry)
    equal(y.cpu(), torch.tensor([[[math.nan, 0.0]]]))
    equal(winner.cpu(), torch.tensor([[[0, NO_WINNER]]], dtype=torch.uint8))


@pytest.mark.parametrize(
    ("dtype", "last"),
    [(torch.float32, False), (torch.float32, True), (torch.bfloat16, True), (torch.float16, False)],
)
def test_several_tiles_in_every_dtype_and_the_same_bits_twice(
    triton_device: str, dtype: torch.dtype, last: bool
) -> None:
    geometry = Geometry(Window.parse((1, 3), (1, 2), (0, 1)), (3, 40))
    x = torch.randn(1, 35, 3, 40).to(dtype)
    x = channels_last(x) if last else x
    best, winner = kernels.max_pool(x.to(triton_device), geometry)
    expected, index = reference.max_pool(x, geometry)
    equal(best.cpu(), expected)
    equal(geometry.index_of(winner.cpu()), index)
    gx = kernels.route(winner, best, geometry)
    wide = reference.route(winner.cpu(), expected.float(), geometry)
    torch.testing.assert_close(gx.cpu().float(), wide, rtol=torch.finfo(dtype).eps, atol=0)
    if triton_device == "cuda":  # the interpreter knows one order
        equal(gx, kernels.route(winner, best, geometry))


def test_proofs_hold(triton_device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through the planner and autograd, as ``sigconv verify`` does it."""
    monkeypatch.setitem(planner.KERNELS, "triton", kernels)
    monkeypatch.setattr(proofs, "RANKS", (1, 2) if triton_device == "cuda" else (1,))
    proof = proofs.winners("triton", torch.float32, torch.device(triton_device))
    assert proof.holds, proof


def test_a_block_takes_from_another_under_autocast(triton_device: str) -> None:
    """Which are of another dtype than its weights."""
    blocks = nn.Sequential(*(ConvBlock(n, 4, (3,), norm=None, pool=2) for n in (1, 4))).to(triton_device)
    with planner.use_kernel("triton"), torch.autocast(triton_device, torch.bfloat16):
        assert blocks(torch.randn(2, 1, 40, device=triton_device)).shape == (2, 4, 8)
