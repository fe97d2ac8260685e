"""Compiled loops against the definition, and what they need of the process that they run in."""

import math
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable

import pytest
import torch
from geometries import Drawn, drawn_windows
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from sigconv import planner
from sigconv.geometry import Geometry, PooledGeometry
from sigconv.kernels import numba, reference
from sigconv.kernels.compiled import runtime
from sigconv.kernels.problem import NO_WINNER, Problem
from sigconv.layout import channels_last, is_channels_last
from sigconv.window import Window

pytestmark = pytest.mark.skipif(not runtime.is_available(), reason="Numba has no OpenMP here")

CHANNELS = st.sampled_from((16, 19, 32))


def _whole(*shape: int) -> Tensor:
    return torch.randint(-3, 4, shape).float()


def _laid_out(x: Tensor, innermost: bool) -> Tensor:
    return channels_last(x) if innermost else x


@settings(max_examples=40, deadline=None)
@given(drawn_windows(ranks=(1, 2, 3, 4)), CHANNELS, st.booleans())
def test_depthwise_is_the_definition(drawn: Drawn, channels: int, innermost: bool) -> None:
    geometry = Geometry(drawn.window, drawn.size, channels)
    x, w, bias = _whole(2, channels, *drawn.size), _whole(channels, 1, *drawn.window.kernel), _whole(channels)
    g = _whole(2, channels, *geometry.output_size)
    x, g = _laid_out(x, innermost), _laid_out(g, innermost)
    for operation, operands in (("forward", (x, w, bias)), ("grad_input", (w, g)), ("grad_weight", (x, g))):
        supported = numba.supports(Problem.of(operation, geometry, operands))
        assert supported or (operation == "grad_input" and not geometry.has_flipped)
        if supported:
            found = getattr(numba, operation)(*operands, geometry)
            assert torch.equal(found, getattr(reference, operation)(*operands, geometry)), operation
            if operation != "grad_weight" and min(map(math.prod, (x.shape[2:], g.shape[2:]))) > 1:
                assert is_channels_last(found) == (innermost and len(drawn.size) <= 3)


@settings(max_examples=40, deadline=None)
@given(drawn_windows(ranks=(1, 2, 3, 4), half_padded=True), CHANNELS, st.booleans())
def test_pooling_is_the_definition(drawn: Drawn, channels: int, innermost: bool) -> None:
    assume(drawn.window.blind_axis(drawn.size) is None)
    geometry = Geometry(drawn.window, drawn.size)
    values = torch.tensor([-1.0, 0.0, 1.0, 2.0, float("nan"), float("inf")])
    x = _laid_out(values[torch.randint(6, (2, channels, *drawn.size))], innermost)
    best, place = numba.max_pool(x, geometry)
    expected, index = reference.max_pool(x, geometry)
    assert torch.equal(best.nan_to_num(), expected.nan_to_num())
    assert place.dtype == torch.uint8
    assert torch.equal(geometry.index_of(place), index)
    x, g = _laid_out(_whole(*x.shape), innermost), _laid_out(_whole(*best.shape), innermost)
    assert torch.equal(numba.route(place, g, geometry), reference.route(place, g, geometry))

    scale, shift = _whole(channels), _whole(channels)
    y, winner = numba.rectified_max_pool(x, scale, shift, geometry)
    for found, right in zip((y, winner), reference.rectified_max_pool(x, scale, shift, geometry), strict=True):
        assert torch.equal(found, right)
    assert ((winner == NO_WINNER) == (y == 0)).all()
    assert torch.equal(numba.error_sums(winner, g, geometry), reference.error_sums(winner, g, geometry))


@st.composite
def _pooled(draw: st.DrawFn) -> PooledGeometry:
    ranks = (draw(st.sampled_from((1, 2, 3))),)
    drawn, pool = draw(drawn_windows(ranks)), draw(drawn_windows(ranks, half_padded=True)).window
    assume(min(pool.output_size(drawn.window.output_size(drawn.size))) > 0)
    return PooledGeometry(drawn.window, drawn.size, pool=pool)


@settings(max_examples=40, deadline=None)
@given(_pooled(), st.sampled_from((6, 16, 19)), st.integers(1, 20), st.booleans())
def test_gradients_of_winners_are_the_definition(
    geometry: PooledGeometry, in_channels: int, out_channels: int, innermost: bool
) -> None:
    window = geometry.window
    x = _laid_out(_whole(2, in_channels, *geometry.size), innermost)
    w, shift = _whole(out_channels, in_channels, *window.kernel), _whole(out_channels)
    y = reference.forward(x, w, None, geometry.convolution)
    winner = reference.rectified_max_pool(y, torch.ones_like(shift), shift, geometry.pooling)[1]
    winner, g = _laid_out(winner, innermost), _laid_out(_whole(*winner.shape), innermost)
    for operation, operand in (("grad_input_of_winners", w), ("grad_weight_of_winners", x)):
        if numba.supports(Problem.of(operation, geometry, (operand, winner, g))):
            found = getattr(numba, operation)(operand, winner, g, geometry)
            assert torch.equal(found, getattr(reference, operation)(operand, winner, g, geometry)), operation
        else:
            assert in_channels * (window.kernel[-1] if window.dilation[-1] == 1 else 1) < 16


@settings(max_examples=40, deadline=None)
@given(drawn_windows(ranks=(1, 2, 3, 4), half_padded=True), CHANNELS, st.booleans())
def test_normalised_pooling(drawn: Drawn, channels: int, innermost: bool) -> None:
    assume(drawn.window.blind_axis(drawn.size) is None)
    geometry = Geometry(drawn.window, drawn.size)
    x = _laid_out(10 + torch.randn(3, channels, *drawn.size, dtype=torch.float64), innermost)
    weight, bias = torch.randn(2, channels, dtype=torch.float64)
    found, expected = (kernel.normalised_max_pool(x, weight, bias, 1e-3, geometry) for kernel in (numba, reference))
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == b.dtype
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)
    y, winner, mean, var = found
    g = _laid_out(torch.randn(y.shape, dtype=torch.float64), innermost)
    operands = (x, winner, g, weight, mean, var, 1e-3, geometry)
    found, expected = (kernel.grad_normalised_max_pool(*operands) for kernel in (numba, reference))
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("channels", [16, 19])
@pytest.mark.parametrize(
    ("kernel", "size", "covers"),
    [
        ((4,), (12,), True),
        ((2, 2), (8, 6), True),
        ((2, 3), (9, 7), True),  # with a last window that reaches beyond
        ((2, 2), (9, 6), False),  # samples are left over
        ((1, 2, 2), (3, 4, 2), True),
    ],
)
def test_errors_behind_windows_side_by_side(
    kernel: tuple[int, ...], size: tuple[int, ...], covers: bool, channels: int
) -> None:
    window = Window.parse(kernel, kernel)
    geometry = Geometry(window.grown_to_ceil(size) if covers else window, size)
    x, scale, shift = channels_last(_whole(2, channels, *size)), torch.ones(channels), _whole(channels)
    y, winner = numba.rectified_max_pool(x, scale, shift, geometry)
    g = channels_last(_whole(*y.shape))
    assert torch.equal(numba.route(winner, g, geometry), reference.route(winner, g, geometry))
    mean, var = torch.zeros(channels).double(), torch.ones(channels).double()
    operands = (x, winner, g, scale, mean, var, 1e-3, geometry)
    for a, b in zip(
        numba.grad_normalised_max_pool(*operands), reference.grad_normalised_max_pool(*operands), strict=True
    ):
        torch.testing.assert_close(a, b)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 5),
    st.integers(1, 40),
    st.integers(1, 3),
    st.tuples(st.integers(1, 4), st.integers(1, 100)),
    st.booleans(),
    st.booleans(),
)
def test_bands_are_normalised_by_themselves(
    batch: int, channels: int, bands: int, size: tuple[int, int], innermost: bool, rectified: bool
) -> None:
    dtype = torch.float64 if rectified else torch.float32  # what is above zero must not depend on roundings
    shape = (batch, channels, bands * size[0], size[1])
    assume(batch * math.prod(size) > 1)
    x, g = (_laid_out(mean + torch.randn(shape, dtype=dtype), innermost) for mean in (10, 0))
    weight, bias = torch.randn(2, channels * bands, dtype=dtype)
    found, expected = (kernel.normalise(x, weight, bias, 1e-3, rectified) for kernel in (numba, reference))
    operands = (x, g, weight, bias, *expected[1:], 1e-3, rectified)
    gradients = (kernel.grad_normalise(*operands) for kernel in (numba, reference))
    for a, b in (*zip(found, expected, strict=True), *zip(*gradients, strict=True)):
        assert a.dtype == b.dtype
        torch.testing.assert_close(a, b, rtol=1e-4, atol=2e-4)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 5), st.integers(1, 40), st.integers(1, 200), st.booleans())
def test_moments_and_what_sends_errors_back_through_them(
    batch: int, channels: int, places: int, innermost: bool
) -> None:
    x = _laid_out(100 + torch.randn(batch, channels, places), innermost)
    for a, b in zip(numba.moments(x), reference.moments(x), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-6)
    scale, shift = torch.randn(2, batch, channels)
    torch.testing.assert_close(numba.scaled(x, scale, shift), reference.scaled(x, scale, shift))


@pytest.mark.parametrize(
    "placed",
    [lambda t: torch.stack([t, t + 1], -1)[..., 0], lambda t: torch._neg_view(-t)],
    ids=["between others", "negative by a bit"],
)
def test_numbers_of_channels_may_lie_anywhere(placed: Callable[[Tensor], Tensor]) -> None:
    pooling, alone = (Geometry(Window.parse((2,), 2), (8,), groups) for groups in (1, 16))
    x, w, (a, b), of_each = _whole(2, 16, 8), _whole(16, 1, 2), 1 + torch.rand(2, 16), torch.rand(2, 16)
    for function, operands, rest in (
        (numba.forward, (x, w, a), (alone,)),
        (numba.rectified_max_pool, (x, a, b), (pooling,)),
        (numba.normalise, (x, a, b), (1e-3, True)),
        (numba.normalised_max_pool, (x, a, b), (1e-3, pooling)),
        (numba.scaled, (x, of_each, 1 - of_each), ()),
    ):
        found, expected = function(*map(placed, operands), *rest), function(*operands, *rest)
        for one, other in zip(found, expected, strict=True):
            assert torch.equal(one, other), function


def _problem_of(x: Tensor) -> Problem:
    return Problem.of("max_pool", Geometry(Window.parse((2,), 2), tuple(x.shape[2:])), (x,))


@pytest.mark.parametrize(
    "x",
    [
        torch.zeros(1, 15, 4),
        torch.zeros(1, 16, 4, dtype=torch.bfloat16),
        torch.zeros(1, 16, 4, device="meta"),
    ],
    ids=["few channels", "bfloat16", "meta"],
)
def test_what_it_leaves_to_others(x: Tensor) -> None:
    assert not numba.supports(_problem_of(x))
    assert numba.supports(_problem_of(torch.zeros(1, 16, 4)))


def test_what_its_loops_cannot_do_is_left_to_others() -> None:
    def supports(operation: str, kernel: int, *operands: Tensor, groups: int = 1) -> bool:
        geometry = Geometry(Window.parse((kernel,)), (300,), groups)
        return numba.supports(Problem.of(operation, geometry, operands))

    x, g, winner = torch.zeros(1, 16, 300), torch.zeros(1, 16, 299), torch.zeros(1, 16, 299, dtype=torch.uint8)
    assert supports("max_pool", 254, x)
    assert not supports("max_pool", 256, x)  # a place is a byte
    assert supports("route", 2, winner, g)
    assert not supports("route", 2, winner.long(), g)
    assert supports("forward", 3, x, torch.zeros(16, 1, 3), groups=16)
    assert not supports("forward", 3, x, torch.zeros(32, 1, 3), groups=16)  # two maps of each channel


def test_depthwise_sums_of_more_windows_than_a_part_has() -> None:
    geometry = Geometry(Window.parse((5,), 2), (400,), 16)
    x, g = _whole(2, 16, 400), _whole(2, 16, *geometry.output_size)
    assert torch.equal(numba.grad_weight(x, g, geometry), reference.grad_weight(x, g, geometry))


def test_under_a_transform_it_is_left_alone() -> None:
    seen = []
    torch.func.vmap(lambda x: seen.append(numba.supports(_problem_of(x))) or x)(torch.zeros(3, 1, 16, 4))
    assert seen == [False]


def test_same_bits_with_any_number_of_threads() -> None:
    geometry = Geometry(Window.parse((9,), 1, "same"), (200,), 32)
    x, g = channels_last(torch.randn(8, 32, 200)), channels_last(torch.randn(8, 32, 200))
    pooled = PooledGeometry(Window.parse((3,), 1, 1), (400,), pool=Window.parse((2,), 2))
    longer, w = channels_last(torch.randn(8, 16, 400)), torch.randn(32, 16, 3)
    before = torch.get_num_threads()
    found = []
    try:
        for threads in (1, 2, 2):
            torch.set_num_threads(threads)
            winner = numba.max_pool(x, geometry)[1]
            weight, bias = g[0, :, 0].contiguous(), g[0, :, 1].contiguous()
            normalised = numba.normalised_max_pool(x, weight, bias, 1e-5, geometry)
            by_w = numba.grad_weight_of_winners(longer, winner % 2, g, pooled)
            by_x = numba.grad_input_of_winners(w, winner % 2, g, pooled)
            found.append(
                (
                    numba.grad_weight(x, g, geometry),
                    by_w,
                    by_x,
                    numba.error_sums(winner, g, geometry),
                    *normalised,
                    *numba.grad_normalised_max_pool(x, normalised[1], g, weight, *normalised[2:], 1e-5, geometry),
                )
            )
    finally:
        torch.set_num_threads(before)
    for other in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], other, strict=True))


def _pool_in_child(queue: multiprocessing.Queue) -> None:
    torch.set_num_threads(1)
    x = channels_last(torch.ones(4, 32, 1000))
    with planner.observed() as used:
        y = planner.kernel("max_pool", Geometry(Window.parse((2,), 2), (1000,)), (x,))(
            x, Geometry(Window.parse((2,), 2), (1000,))
        )[0]
    queue.put((sorted(used), y.sum().item()))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_process_does_without_it() -> None:
    """OpenMP's threads are not there after a fork, and to use them would end the process."""
    x = channels_last(torch.ones(4, 32, 1000))
    geometry = Geometry(Window.parse((2,), 2), (1000,))
    with planner.observed() as used:
        planner.kernel("max_pool", geometry, (x,))(x, geometry)
    assert used == {("numba", "max_pool")}  # remembered by the parent
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_pool_in_child, args=(queue,))
    child.start()
    used_there, total = queue.get(timeout=60)
    child.join(timeout=60)
    assert used_there == [("vendor", "max_pool")]
    assert total == 4 * 32 * 500


def test_torch_keeps_its_number_of_threads() -> None:
    """Numba's threads are started by a name that torch's runtime has, too."""
    program = (
        "import torch; torch.set_num_threads(1); torch.get_num_threads(); from sigconv.kernels.numba import runtime; "
    )
    program += "assert runtime.is_available(); print(torch.get_num_threads())"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["1"]


def test_where_numba_is_told_not_to_compile_torch_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("numba.config.DISABLE_JIT", 1)
    assert not runtime._starts.__wrapped__()


def test_what_is_kept_on_disk_is_of_all_kernels_files() -> None:
    """What a loop calls in another file is compiled into it."""
    from sigconv.kernels.winograd import loops

    assert loops.forward._cache._cache_file._source_stamp == runtime.sources() != ""
