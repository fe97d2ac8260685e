"""The gradient by the input, of overlapping terms that are added."""

from dataclasses import replace

import pytest
import torch
from agreement import assert_differentiable, assert_is_definition, problems, supported
from geometries import Drawn, drawn_windows
from hypothesis import given, settings
from hypothesis import strategies as st

from sigconv.geometry import Geometry
from sigconv.kernels import overlap_add
from sigconv.window import Window


def _undilated(drawn: Drawn) -> Geometry:
    return Geometry(replace(drawn.window, dilation=(1,) * drawn.window.ndim), drawn.size)


@settings(max_examples=40, deadline=None)
@given(drawn_windows(ranks=(1, 2, 3, 4)).map(_undilated), st.integers(1, 3), st.integers(1, 5), st.booleans())
def test_is_the_definition(geometry: Geometry, in_channels: int, out_channels: int, innermost: bool) -> None:
    assert supported(overlap_add, geometry, in_channels, out_channels) == {"grad_input"}
    assert_is_definition(overlap_add, geometry, in_channels, out_channels, innermost)


@pytest.mark.parametrize("innermost", [False, True])
def test_window_of_many_strides(innermost: bool) -> None:
    """As on raw sound: the last block of the window is incomplete, and samples are left over."""
    geometry = Geometry(Window.parse(23, stride=5, padding=((7, 2),), ndim=1), (101,))
    assert_is_definition(overlap_add, geometry, 1, 4, innermost)


def test_is_the_same_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overlap_add, "AT_ONCE", 1)
    assert_is_definition(overlap_add, Geometry(Window.parse((3, 2), 2), (7, 6)), 2, 3, False)


def test_refuses_gaps_groups_and_half_precision() -> None:
    assert not supported(overlap_add, Geometry(Window.parse((3,), dilation=2), (9,)), 1, 2)
    assert not supported(overlap_add, Geometry(Window.parse((3,)), (9,), groups=2), 2, 2)
    halves = problems(Geometry(Window.parse((3,)), (9,)), 1, 2, torch.bfloat16)
    assert not any(overlap_add.supports(problem) for problem, _ in halves)


def test_derivatives(monkeypatch: pytest.MonkeyPatch) -> None:
    x, w = torch.randn(2, 1, 11, 7), torch.randn(3, 1, 5, 3)
    assert_differentiable(overlap_add, monkeypatch, x, w, stride=2, padding=((1, 2), (0, 1)))
