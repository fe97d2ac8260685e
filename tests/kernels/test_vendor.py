"""The vendor's kernels with fewer axes: neighbours along which a window is one place are taken as one."""

from dataclasses import replace

import torch
from agreement import assert_differentiable, assert_is_definition
from geometries import Drawn, drawn_windows
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sigconv.geometry import Geometry
from sigconv.kernels import vendor
from sigconv.window import Window


@st.composite
def _with_idle_axes(draw: st.DrawFn) -> Geometry:
    """A window along three axes that is idle along two neighbours at least."""
    drawn: Drawn = draw(drawn_windows(ranks=(3,)))
    first = draw(st.integers(0, 1))
    idle = {first, first + 1, *draw(st.sets(st.integers(0, 2)))}

    def where_idle(sizes: tuple, value: object) -> tuple:
        return tuple(value if axis in idle else n for axis, n in enumerate(sizes))

    window = drawn.window
    kernel, stride = where_idle(window.kernel, 1), where_idle(window.stride, 1)
    return Geometry(
        replace(window, kernel=kernel, stride=stride, padding=where_idle(window.padding, (0, 0))), drawn.size
    )


@settings(max_examples=60, deadline=None)
@given(_with_idle_axes(), st.integers(1, 3), st.integers(1, 5), st.booleans())
def test_idle_axes_are_taken_as_one(geometry: Geometry, in_channels: int, out_channels: int, innermost: bool) -> None:
    assume(all(m >= 1 for m in geometry.output_size))
    other = vendor.better_form(torch.empty(1, 1, *geometry.size), geometry)
    assert other is not None
    assert other.window.ndim < 3
    assert_is_definition(vendor, geometry, in_channels, out_channels, innermost)


def test_other_axes_stay() -> None:
    for kernel, stride, padding in [
        ((3, 3, 3), 1, 0),
        ((1, 3, 1), 1, 0),
        ((3, 1, 1), (1, 1, 2), 0),
        ((3, 1, 1), 1, (0, 1, 0)),
    ]:
        geometry = Geometry(Window.parse(kernel, stride, padding), (4, 4, 4))
        assert vendor.better_form(torch.empty(1, 1, 4, 4, 4), geometry) is None


def test_derivatives(monkeypatch) -> None:
    x, w = torch.randn(2, 2, 5, 3, 2), torch.randn(3, 2, 3, 1, 1)
    assert_differentiable(vendor, monkeypatch, x, w, padding=((2, 1), (0, 0), (0, 0)))
