"""The gradient by the weights, of windows that are multiplied where they lie."""

import pytest
import torch
from agreement import assert_differentiable, assert_is_definition, problems, supported
from geometries import Drawn, drawn_windows
from hypothesis import given, settings
from hypothesis import strategies as st

from sigconv.geometry import Geometry
from sigconv.kernels import few_channels
from sigconv.window import Window


@settings(max_examples=40, deadline=None)
@given(drawn_windows(ranks=(1, 2, 3, 4)), st.integers(1, 3), st.sampled_from((16, 24, 70)), st.booleans())
def test_is_the_definition(drawn: Drawn, in_channels: int, out_channels: int, innermost: bool) -> None:
    geometry = Geometry(drawn.window, drawn.size)
    assert supported(few_channels, geometry, in_channels, out_channels) == {"grad_weight"}
    assert_is_definition(few_channels, geometry, in_channels, out_channels, innermost)


def test_refuses_groups_few_maps_and_half_precision() -> None:
    assert not supported(few_channels, Geometry(Window.parse((3,)), (9,), groups=2), 2, 16)
    assert not supported(few_channels, Geometry(Window.parse((3,)), (9,)), 1, 15)
    halves = problems(Geometry(Window.parse((3,)), (9,)), 1, 16, torch.bfloat16)
    assert not any(few_channels.supports(problem) for problem, _ in halves)


def test_derivatives(monkeypatch: pytest.MonkeyPatch) -> None:
    x, w = torch.randn(2, 1, 11, 7), torch.randn(17, 1, 4, 2)
    assert_differentiable(few_channels, monkeypatch, x, w, stride=2, padding=((1, 2), (0, 1)), dilation=(2, 1))
