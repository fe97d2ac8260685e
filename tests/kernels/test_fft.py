"""Convolutions of each channel by itself, by their spectra."""

from dataclasses import replace

import pytest
import torch
from agreement import OPERATIONS, assert_differentiable, assert_is_definition, problems, supported
from geometries import Drawn, drawn_windows
from hypothesis import given, settings
from hypothesis import strategies as st

from sigconv.geometry import Geometry
from sigconv.kernels import fft, reference
from sigconv.window import Window


def _dense(drawn: Drawn) -> Geometry:
    ones = (1,) * drawn.window.ndim
    # Where a stride or a dilation let the window in, it fits without them, too.
    return Geometry(replace(drawn.window, stride=ones, dilation=ones), drawn.size)


@settings(max_examples=40, deadline=None)
@given(drawn_windows(ranks=(1, 2, 3, 4)).map(_dense), st.integers(1, 3), st.integers(1, 3), st.booleans())
def test_is_the_definition(geometry: Geometry, channels: int, maps: int, innermost: bool) -> None:
    geometry = replace(geometry, groups=channels)
    assert supported(fft, geometry, channels, channels * maps) == set(OPERATIONS)
    assert_is_definition(fft, geometry, channels, channels * maps, innermost)


def test_long_windows_in_double_precision() -> None:
    geometry = Geometry(Window.parse((501,), padding="causal"), (777,), groups=3)
    for problem, operands in problems(geometry, 3, 6, torch.float64):
        found, expected = (getattr(kernel, problem.operation)(*operands, geometry) for kernel in (fft, reference))
        assert (found - expected).abs().max() < 1e-12 * expected.abs().max()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_rounded_once(dtype: torch.dtype) -> None:
    geometry = Geometry(Window.parse((201,), padding="same"), (300,), groups=3)
    for problem, operands in problems(geometry, 3, 6, dtype):
        found = getattr(fft, problem.operation)(*operands, geometry)
        wide = (None if operand is None else operand.double() for operand in operands)
        expected = getattr(reference, problem.operation)(*wide, geometry)
        assert found.dtype == dtype
        assert (found - expected).abs().max() < torch.finfo(dtype).eps * expected.abs().max()


@pytest.mark.parametrize("n", [*range(1, 70), 1000, 1023, 1025, 4099])
def test_periods_hold_the_signal_and_little_more(n: int) -> None:
    (period,) = fft._periods(Geometry(Window.parse((1,)), (n,)))
    assert n <= period <= max(n, 1.125 * n)


def test_refuses_what_it_cannot_transform() -> None:
    assert not supported(fft, Geometry(Window.parse((3,), stride=2), (9,), groups=2), 2, 2)
    assert not supported(fft, Geometry(Window.parse((3,), dilation=2), (9,), groups=2), 2, 2)
    assert not supported(fft, Geometry(Window.parse((3,)), (9,), groups=2), 4, 4)
    usual = Geometry(Window.parse((3,)), (9,), groups=2)
    assert not any(fft.supports(problem) for problem, _ in problems(usual, 2, 2, batch=0))


def test_derivatives(monkeypatch: pytest.MonkeyPatch) -> None:
    x, w = torch.randn(2, 2, 7, 5), torch.randn(4, 1, 3, 2)
    assert_differentiable(fft, monkeypatch, x, w, padding=((1, 2), (0, 1)), groups=2)
