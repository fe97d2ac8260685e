"""Neighbouring axes along which the window is one place, taken as one."""

from dataclasses import replace

import pytest
import torch
from agreement import OPERATIONS, assert_differentiable, assert_is_definition, problems, supported
from geometries import Drawn, drawn_windows
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sigconv.geometry import Geometry
from sigconv.kernels import fused_axes, vendor
from sigconv.window import Window


@st.composite
def _with_idle_axes(draw: st.DrawFn) -> Geometry:
    """A window that is idle along some axes, two neighbours at least."""
    drawn: Drawn = draw(drawn_windows(ranks=(2, 3, 4)))
    ndim = drawn.window.ndim
    idle = set(draw(st.sets(st.integers(0, ndim - 1))))
    first = draw(st.integers(0, ndim - 2))
    idle |= {first, first + 1}

    def where_idle(sizes: tuple, value: object) -> tuple:
        return tuple(value if axis in idle else n for axis, n in enumerate(sizes))

    window = drawn.window
    kernel, stride = where_idle(window.kernel, 1), where_idle(window.stride, 1)
    return Geometry(
        replace(window, kernel=kernel, stride=stride, padding=where_idle(window.padding, (0, 0))), drawn.size
    )


@settings(max_examples=80, deadline=None)
@given(_with_idle_axes(), st.integers(1, 3), st.integers(1, 5), st.booleans())
def test_is_the_definition(geometry: Geometry, in_channels: int, out_channels: int, innermost: bool) -> None:
    assume(all(m >= 1 for m in geometry.output_size))
    assert supported(fused_axes, geometry, in_channels, out_channels) == set(OPERATIONS)
    assert_is_definition(fused_axes, geometry, in_channels, out_channels, innermost)
    if geometry.window.ndim == 3:  # there the vendor's part merges axes, too
        assert_is_definition(vendor, geometry, in_channels, out_channels, innermost)


@pytest.mark.parametrize(
    ("kernel", "options"),
    [
        ((3, 3, 3), {}),
        ((1, 3, 1), {}),
        ((3, 1, 1), {"stride": (1, 1, 2)}),
        ((3, 1, 1), {"padding": (0, 1, 0)}),
        ((2, 1, 2, 2, 2), {}),
        ((2, 2, 2, 1, 1), {}),
    ],
)
def test_refuses_what_is_not_left_with_fewer_axes(kernel: tuple[int, ...], options: dict) -> None:
    assert not supported(fused_axes, Geometry(Window.parse(kernel, **options), (4,) * len(kernel)), 2, 4)


def test_refuses_groups_and_half_precision() -> None:
    window = Window.parse((3, 1, 1))
    assert not supported(fused_axes, Geometry(window, (4, 3, 2), groups=2), 2, 4)
    halves = problems(Geometry(window, (4, 3, 2)), 2, 4, torch.bfloat16)
    assert not any(fused_axes.supports(problem) for problem, _ in halves)


def test_derivatives(monkeypatch: pytest.MonkeyPatch) -> None:
    x, w = torch.randn(2, 2, 5, 3, 2), torch.randn(3, 2, 3, 1, 1)
    assert_differentiable(fused_axes, monkeypatch, x, w, padding=((2, 1), (0, 0), (0, 0)))
