"""The vendor's convolution of a signal that is padded before."""

import pytest
import torch
from agreement import assert_differentiable, assert_is_definition, supported
from geometries import Drawn, drawn_windows
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sigconv.geometry import Geometry
from sigconv.kernels import padded
from sigconv.window import Window


@settings(max_examples=40, deadline=None)
@given(drawn_windows(ranks=(1, 2, 3)), st.integers(1, 3), st.integers(1, 5), st.booleans())
def test_is_the_definition(drawn: Drawn, in_channels: int, out_channels: int, innermost: bool) -> None:
    assume(any(map(any, drawn.window.padding)))
    geometry = Geometry(drawn.window, drawn.size)
    assert supported(padded, geometry, in_channels, out_channels) == {"forward"}
    assert_is_definition(padded, geometry, in_channels, out_channels, innermost)


def test_refuses_what_needs_no_padding() -> None:
    assert not supported(padded, Geometry(Window.parse((3, 3)), (5, 6)), 2, 4)


def test_derivatives(monkeypatch: pytest.MonkeyPatch) -> None:
    x, w = torch.randn(2, 1, 9, 4), torch.randn(3, 1, 5, 2)
    assert_differentiable(padded, monkeypatch, x, w, stride=2, padding=((2, 3), (0, 1)))
