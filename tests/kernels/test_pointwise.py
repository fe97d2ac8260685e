"""Convolutions of one place."""

import pytest
import torch
from agreement import OPERATIONS, assert_differentiable, assert_is_definition, problems, supported
from hypothesis import given, settings
from hypothesis import strategies as st

from sigconv.geometry import Geometry
from sigconv.kernels import pointwise
from sigconv.window import Window

SIZES = st.lists(st.integers(1, 7), min_size=1, max_size=4).map(tuple)


@settings(max_examples=40, deadline=None)
@given(SIZES, st.integers(1, 4), st.integers(1, 5), st.booleans())
def test_is_the_definition(size: tuple[int, ...], in_channels: int, out_channels: int, innermost: bool) -> None:
    geometry = Geometry(Window.parse(1, ndim=len(size)), size)
    assert supported(pointwise, geometry, in_channels, out_channels) == set(OPERATIONS)
    assert_is_definition(pointwise, geometry, in_channels, out_channels, innermost)


@pytest.mark.parametrize("options", [{"stride": (1, 2)}, {"padding": (0, 1)}, {"kernel": (1, 3)}, {"groups": 2}])
def test_refuses_what_is_not_of_one_place(options: dict) -> None:
    groups, options = options.pop("groups", 1), {"kernel": 1, **options}
    assert not supported(pointwise, Geometry(Window.parse(**options, ndim=2), (5, 6), groups), 2, 4)


def test_refuses_half_precision() -> None:
    halves = problems(Geometry(Window.parse(1, ndim=2), (5, 6)), 2, 4, torch.float16)
    assert not any(pointwise.supports(problem) for problem, _ in halves)


def test_derivatives(monkeypatch: pytest.MonkeyPatch) -> None:
    assert_differentiable(pointwise, monkeypatch, torch.randn(2, 2, 4, 3), torch.randn(3, 2, 1, 1))
