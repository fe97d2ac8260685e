"""Convolution by tiles: the constants, the tiles, and the whole beside the definition."""

import math
from functools import reduce

import numpy as np
import pytest
import torch
from agreement import OPERATIONS, assert_is_definition, assert_rounds_like_a_sum, problems, supported
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import sigconv
from sigconv import planner
from sigconv.geometry import Geometry
from sigconv.kernels import winograd
from sigconv.kernels.compiled import runtime
from sigconv.kernels.problem import Problem
from sigconv.kernels.winograd.matrices import PLACES, factors, matrices
from sigconv.kernels.winograd.sharing import loss, share_out
from sigconv.kernels.winograd.tiling import is_tiled, tiling
from sigconv.layout import channels_last
from sigconv.padding import pad_constant
from sigconv.window import Window

pytestmark = pytest.mark.skipif(not runtime.is_available(), reason="Numba has no OpenMP here")

CHOICES = [(points, places) for points, choices in PLACES.items() for places in choices]


@st.composite
def _tiled(draw: st.DrawFn) -> Geometry:
    """A window of 1, 3 or 5 places an axis, and an input that it fits into, with some padding."""
    ndim = draw(st.integers(1, 3))

    def per_axis(values: st.SearchStrategy) -> tuple:
        return tuple(draw(values) for _ in range(ndim))

    kernel, dilation = per_axis(st.sampled_from((1, 3, 5))), per_axis(st.integers(1, 3))
    padding = per_axis(st.tuples(st.integers(0, 3), st.integers(0, 3)))
    geometry = Geometry(Window(kernel, (1,) * ndim, padding, dilation), per_axis(st.integers(1, 11)))
    assume(min(geometry.output_size) >= 1 and is_tiled(geometry))
    return geometry


@pytest.mark.parametrize(("points", "places"), CHOICES)
def test_products_at_points_are_the_convolution(points: int, places: int) -> None:
    of = matrices(points, places)
    x, w = np.arange(points) - 1.5, np.arange(places) + 2.0
    assert np.allclose(of.output @ ((of.weight @ w) * (of.input @ x)), np.correlate(x, w), atol=1e-12)
    for matrix in (*of, of.output.T, of.weight.T):
        assert np.array_equal(reduce(np.matmul, factors(matrix)), matrix)


def test_opposite_points_share_their_work() -> None:
    of_input = matrices(6, 3).input
    assert np.count_nonzero(of_input) - 6 == 16
    assert sum(np.count_nonzero(part) - len(part) for part in factors(of_input)) == 12


@settings(max_examples=30, deadline=None)
@given(_tiled())
def test_each_output_is_given_once_by_what_its_window_sees(geometry: Geometry) -> None:
    found, window = tiling(geometry, 2, 16, 16), geometry.window
    given_places = found.given()
    inside = given_places >= 0
    assert sorted(given_places[inside]) == list(range(math.prod(geometry.output_size)))
    seen = found.seen().reshape(-1, *found.points)
    numbered = 1 + torch.arange(math.prod(geometry.size)).reshape(1, 1, *geometry.size)
    padded = pad_constant(numbered, window.padding)  # zeros outside
    for offset in window.offsets():
        expected = padded[window.samples(offset, geometry.output_size)].flatten().numpy() - 1
        part = seen[(slice(None), *(slice(k, k + m) for k, m in zip(offset, found.outputs, strict=True)))]
        assert np.array_equal(part.reshape(given_places.shape)[inside], expected[given_places[inside]])


@settings(max_examples=30, deadline=None)
@given(_tiled(), st.sampled_from((16, 19, 48)), st.sampled_from((16, 21, 32)), st.booleans())
def test_is_the_definition(geometry: Geometry, in_channels: int, out_channels: int, innermost: bool) -> None:
    turns = {"grad_input"} if geometry.has_flipped else set()
    assert supported(winograd, geometry, in_channels, out_channels) == {"forward", "grad_weight"} | turns
    assert_is_definition(winograd, geometry, in_channels, out_channels, innermost)


def test_many_tiles_channels_and_blocks_round_like_a_sum() -> None:
    geometry = Geometry(Window.parse((3, 3), padding="same"), (23, 41))
    x, g, w = torch.randn(8, 40, 23, 41), torch.randn(8, 36, 23, 41), torch.randn(36, 40, 3, 3)
    for operation, operands in (("forward", (x, w, None)), ("grad_input", (w, g)), ("grad_weight", (x, g))):
        operands = tuple(t if t is None else channels_last(t) for t in operands)
        found = getattr(winograd, operation)(*operands, geometry)
        assert_rounds_like_a_sum(found, operation, operands, geometry)


@pytest.mark.parametrize("length", [200, 400], ids=["one span", "two spans"])
def test_same_bits_with_any_number_of_threads_and_in_any_batch(length: int, monkeypatch: pytest.MonkeyPatch) -> None:
    geometry = Geometry(Window.parse((3,), padding="causal", dilation=2), (length,))
    x, g = channels_last(torch.randn(6, 40, length)), channels_last(torch.randn(6, 37, length))
    w, found = torch.randn(37, 40, 3), []
    for threads in (1, 2, 3, 8, 8):  # as many as there are share out what is meant for so many
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        found.append((winograd.forward(x, w, None, geometry), winograd.grad_weight(x, g, geometry)))
    assert all(torch.equal(a, b) for other in found[1:] for a, b in zip(found[0], other, strict=True))
    assert torch.equal(winograd.forward(x[2:3], w, None, geometry), found[0][0][2:3])


def test_a_bias_may_be_a_column_of_a_table_and_weights_negative_by_a_bit() -> None:
    geometry = Geometry(Window.parse((3,)), (9,))
    x, w, table = channels_last(torch.randn(1, 16, 9)), torch.randn(16, 16, 3), torch.randn(16, 2)
    expected = winograd.forward(x, w, table[:, 1].contiguous(), geometry)
    assert torch.equal(winograd.forward(x, torch._neg_view(-w), table[:, 1], geometry), expected)


def test_groups_cost_what_is_transformed_anew() -> None:
    found = tiling(Geometry(Window.parse((3, 3), padding="same"), (8, 8)), 16, 128, 128)
    assert share_out(found, 16, 128, 128, 1) == (1, 1, 1)
    assert share_out(found, 16, 128, 128, 16) == (1, 4, 4)
    assert share_out(found, 16, 16, 128, 16) == (1, 1, 8)  # a group has LANES channels at least
    assert loss(found, 16, 128, 128, 1) == 1
    assert 1 < loss(found, 16, 128, 128, 2) < loss(found, 16, 128, 128, 16) < 2


def test_refuses_what_has_no_tiles() -> None:
    def of(kernel: int, channels: int = 16, **options: int) -> set[str]:
        return supported(winograd, Geometry(Window.parse((kernel,), **options), (9,)), channels, channels)

    assert of(3) == of(5) == set(OPERATIONS)
    assert not is_tiled(Geometry(Window.parse((5, 5, 5)), (9, 9, 9)))  # too many points
    assert not (of(1) | of(4) | of(7) | of(3, stride=2) | of(3, channels=15))
    assert not supported(winograd, Geometry(Window.parse((3,)), (9,), groups=16), 16, 16)
    nobody = Problem("forward", Geometry(Window.parse((3,)), (9,)), 0, 16, 16, torch.float32, "cpu", True, True)
    assert not winograd.supports(nobody)
    assert of(3, padding=3) == {"forward", "grad_weight"}  # its flipped convolution would be cropped
    doubles = problems(Geometry(Window.parse((3,)), (9,)), 16, 16, torch.float64)
    assert not any(winograd.supports(problem) for problem, _ in doubles)


def test_is_taken_for_many_products_of_many_channels_side_by_side() -> None:
    def kernels(layer: torch.nn.Module, *shape: int, **options: object) -> set[str]:
        return {step.kernel for step in sigconv.plan(layer, shape, **options).steps}

    layer = sigconv.Conv2d(64, 64, 3, padding=1)
    assert kernels(layer, 16, 64, 32, 32) == {"winograd"}
    assert kernels(layer, 1, 64, 8, 8) == {"vendor"}  # few
    assert kernels(sigconv.Conv2d(16, 16, 3, padding=1), 64, 16, 32, 32) == {"vendor"}  # as long as its transforms
    assert kernels(layer, 16, 64, 32, 32, channels_last=False) == {"vendor"}
    assert kernels(layer, 16, 64, 32, 32, dtype=torch.float64) == {"vendor"}


def test_training_step_is_the_vendors() -> None:
    layer, x = sigconv.Conv2d(48, 64, 3, padding=1), channels_last(torch.randn(8, 48, 40, 24))
    found = []
    for kernel in (None, "vendor"):
        leaf = x.clone().requires_grad_()
        with sigconv.use_kernel(kernel), planner.observed() as used:
            y = layer(leaf)
            gradients = torch.autograd.grad(
                y, (leaf, *layer.parameters()), channels_last(torch.ones_like(y)) - y.detach()
            )
        assert kernel or used == {("winograd", operation) for operation in OPERATIONS}
        found.append((y, *gradients))
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5 * theirs.abs().max().item())
