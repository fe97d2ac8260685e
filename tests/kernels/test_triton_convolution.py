"""Convolution in Triton is the definition's: bit for bit where sums are exact, within rounding elsewhere."""

import math
from collections.abc import Iterator

import pytest
import torch
from geometries import Drawn, drawn_windows
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from sigconv import planner
from sigconv.geometry import Geometry
from sigconv.kernels import reference
from sigconv.kernels import triton as kernels
from sigconv.layout import channels_last, is_channels_last
from sigconv.verification import cases, proofs
from sigconv.window import Window

DTYPES = [torch.float32, torch.bfloat16, torch.float16]
ROUNDING = 4
"""So many units of rounding in proportion to the sum of absolute values, as in the proofs."""
drawn = settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def _is_quick(case: Drawn) -> bool:
    """For the interpreter, which takes milliseconds for each place of the window in each tile."""
    return case.window.places * max(math.prod(case.size), math.prod(case.window.output_size(case.size))) <= 200


quick_windows = drawn_windows().filter(_is_quick)


def _operands(geometry: Geometry, channels: int, maps: int, last: bool) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """x, w, bias and g of the numbers from -3 to 3."""
    shapes = (
        (2, channels, *geometry.size),
        (maps, channels // geometry.groups, *geometry.window.kernel),
        (maps,),
        (2, maps, *geometry.output_size),
    )
    x, w, bias, g = (torch.randint(-3, 4, shape).float() for shape in shapes)
    return (channels_last(x), w, bias, channels_last(g)) if last else (x, w, bias, g)


@pytest.fixture(autouse=True)
def _float32_in_full() -> Iterator[None]:
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        yield


def _results(module: object, operands: tuple[Tensor, ...], geometry: Geometry) -> Iterator[Tensor]:
    """All that Triton supports of forward with and without a bias, grad_weight and grad_input."""
    x, w, bias, g = operands
    yield module.forward(x, w, bias, geometry)
    yield module.forward(x, w, None, geometry)
    yield module.grad_weight(x, g, geometry)
    if geometry.groups > 1:
        yield module.grad_input(w, g, geometry)


def _assert_exact(geometry: Geometry, channels: int, maps: int, last: bool, device: str) -> None:
    operands = _operands(geometry, channels, maps, last)
    found = list(_results(kernels, tuple(t.to(device) for t in operands), geometry))
    for mine, expected in zip(found, _results(reference, operands, geometry), strict=False):
        assert torch.equal(mine.cpu(), expected)
    for mine, like in [(found[0], operands[0]), *((gx, operands[3]) for gx in found[3:])]:
        assert is_channels_last(mine) if is_channels_last(like) else mine.is_contiguous()


@drawn
@given(quick_windows, st.integers(2, 5), st.integers(1, 3), st.booleans())
def test_depthwise_is_exact(triton_device: str, case: Drawn, channels: int, multiplier: int, last: bool) -> None:
    geometry = Geometry(case.window, case.size, channels)
    _assert_exact(geometry, channels, channels * multiplier, last, triton_device)


@drawn
@given(quick_windows, st.integers(1, 3), st.integers(1, 5), st.booleans())
def test_few_channels_are_exact(triton_device: str, case: Drawn, channels: int, maps: int, last: bool) -> None:
    _assert_exact(Geometry(case.window, case.size), channels, maps, last, triton_device)


@pytest.mark.parametrize(
    ("window", "size", "channels", "maps", "groups", "last"),
    [
        (Window.parse((2,), 1, "causal", 2), (40,), 35, 35, 35, False),  # several tiles along both
        (Window.parse((2,), 1, "causal", 2), (40,), 35, 35, 35, True),
        (Window.parse((11,), 1, "same"), (30,), 4, 4, 4, True),  # a window that is not unrolled
        (Window.parse((80,), 4, "same"), (300,), 1, 70, 1, False),  # several blocks of everything
        (Window.parse((1, 3), 1, "same"), (1, 90), 2, 4, 2, True),
    ],
)
def test_several_blocks(
    triton_device: str, window: Window, size: tuple[int, ...], channels: int, maps: int, groups: int, last: bool
) -> None:
    _assert_exact(Geometry(window, size, groups), channels, maps, last, triton_device)


def test_more_pieces_of_work_than_chunks(triton_device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from sigconv.kernels.triton import chunks

    monkeypatch.setattr(chunks, "PROGRAMS", 2)
    _assert_exact(Geometry(Window.parse((2,)), (300,), 4), 4, 4, False, triton_device)
    _assert_exact(Geometry(Window.parse((3,)), (300,)), 1, 4, False, triton_device)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("channels", "groups"), [(3, 3), (2, 1)])
def test_within_rounding_and_the_same_bits_twice(
    triton_device: str, dtype: torch.dtype, channels: int, groups: int
) -> None:
    if (triton_device, dtype, groups) == ("cpu", torch.bfloat16, 1):
        pytest.skip("Triton's interpreter multiplies matrices of bfloat16 as if they were whole numbers")
    geometry = Geometry(Window.parse((2, 3), 1, "same"), (5, 6), groups)
    maps = 2 * channels
    shapes = [(2, channels, 5, 6), (maps, channels // groups, 2, 3), (maps,), (2, maps, 5, 6)]
    operands = tuple(torch.randn(shape).to(dtype) for shape in shapes)
    exact = _results(reference, tuple(t.double() for t in operands), geometry)
    sums = _results(reference, tuple(t.double().abs() for t in operands), geometry)
    there = tuple(t.to(triton_device) for t in operands)
    found = list(_results(kernels, there, geometry))
    for mine, expected, scale in zip(found, exact, sums, strict=False):
        assert mine.dtype == dtype
        assert ((mine.cpu().double() - expected).abs() <= ROUNDING * torch.finfo(dtype).eps * scale).all()
    if triton_device == "cuda":  # the interpreter knows one order
        assert all(map(torch.equal, found, _results(kernels, there, geometry)))


def test_what_padding_covers_is_not_read(triton_device: str) -> None:
    """A window beside NaN sums to a number: what it does not see counts for nothing, not for zero times NaN."""
    geometry = Geometry(Window.parse((2,), 3), (8,), 4)
    x = torch.ones(1, 4, 8)
    x[..., 2] = x[..., 5:] = math.nan
    w, g = torch.ones(4, 1, 2), torch.zeros(1, 4, 3)
    y = kernels.forward(x.to(triton_device), w.to(triton_device), None, geometry)
    assert torch.equal(y.isnan().cpu(), torch.tensor([False, False, True]).expand(1, 4, 3))
    few = Geometry(geometry.window, (8,))
    x[..., 5:] = 1
    for case, part in ((geometry, slice(None)), (few, slice(1))):
        gw = kernels.grad_weight(x[:, part].contiguous().to(triton_device), g[:, part].to(triton_device), case)
        assert torch.equal(gw.cpu(), torch.zeros_like(w[part]))


def test_strange_strides(triton_device: str) -> None:
    geometry = Geometry(Window.parse((3,)), (7,), 4)
    x, w, bias, g = (t.to(triton_device) for t in _operands(geometry, 4, 4, False))
    strange = torch.stack([x, x], -1)[..., 0]
    assert not strange.is_contiguous()
    assert torch.equal(kernels.forward(strange, w, bias, geometry), kernels.forward(x, w, bias, geometry))
    one_for_all = bias[:1].expand(4)
    y, moved = kernels.forward(x, w, None, geometry), kernels.forward(x, w, one_for_all, geometry)
    assert torch.equal(moved, y + bias[0])
    by_place = w.permute(2, 1, 0).contiguous().permute(2, 1, 0)
    assert torch.equal(kernels.grad_input(by_place, g, geometry), kernels.grad_input(w, g, geometry))


@pytest.mark.parametrize("operation", ["conv", "conv_transpose"])
def test_proofs_hold(triton_device: str, operation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through the planner and autograd, as ``sigconv verify`` does it."""
    monkeypatch.setitem(planner.KERNELS, "triton", kernels)
    chosen = [case for case in cases.CASES[operation] if case.name.startswith("1-D")][::2]
    proof = proofs.exact(chosen, "triton", torch.float32, torch.device(triton_device))
    assert proof.holds, proof
