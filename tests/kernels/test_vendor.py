"""The vendor's kernels with fewer axes: neighbours along which a window is one place are taken as one."""

from dataclasses import replace

import pytest
import torch
from agreement import OPERATIONS, assert_differentiable, assert_is_definition, supported
from geometries import Drawn, drawn_windows
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

import sigconv
from sigconv.geometry import Geometry
from sigconv.kernels import vendor
from sigconv.window import Window


@st.composite
def _with_idle_axes(draw: st.DrawFn) -> Geometry:
    """A window along three or four axes that is idle along so many neighbours that the vendor has kernels for it."""
    drawn: Drawn = draw(drawn_windows(ranks=(3, 4)))
    ndim = drawn.window.ndim
    first = draw(st.integers(0, ndim - 2))
    idle = {first, first + 1, *draw(st.sets(st.integers(0, ndim - 1)))}

    def where_idle(sizes: tuple, value: object) -> tuple:
        return tuple(value if axis in idle else n for axis, n in enumerate(sizes))

    window = drawn.window
    kernel, stride = where_idle(window.kernel, 1), where_idle(window.stride, 1)
    return Geometry(
        replace(window, kernel=kernel, stride=stride, padding=where_idle(window.padding, (0, 0))), drawn.size
    )


@settings(max_examples=40, deadline=None)
@example(Geometry(Window.parse((1, 1, 1)), (2, 2, 2)), 2, 1, False)  # a single map has strides of either layout
@given(_with_idle_axes(), st.integers(1, 3), st.integers(1, 5), st.booleans())
def test_idle_axes_are_taken_as_one(geometry: Geometry, in_channels: int, out_channels: int, innermost: bool) -> None:
    assume(all(m >= 1 for m in geometry.output_size))
    other = vendor.better_form(torch.empty(1, 1, *geometry.size), geometry)
    assert other is not None
    assert other.window.ndim < geometry.window.ndim
    assert supported(vendor, geometry, in_channels, out_channels) == set(OPERATIONS)
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


def test_derivatives(monkeypatch: pytest.MonkeyPatch) -> None:
    x, w = torch.randn(2, 2, 5, 3, 2), torch.randn(3, 2, 3, 1, 1)
    assert_differentiable(vendor, monkeypatch, x, w, padding=((2, 1), (0, 0), (0, 0)))


def test_torchs_own_autograd_goes_through_fewer_axes() -> None:
    """Groups, too; the second time by what is known of the form."""
    conv, other = sigconv.Conv3d(4, 6, (3, 1, 1), groups=2), torch.nn.Conv3d(4, 6, (3, 1, 1), groups=2)
    other.load_state_dict(conv.state_dict())
    x = torch.randn(2, 4, 5, 3, 2, requires_grad=True)
    expected = torch.autograd.grad(other(x).square().sum(), [x, *other.parameters()])
    for _ in range(2):
        assert_close(torch.autograd.grad(conv(x).square().sum(), [x, *conv.parameters()]), expected)
