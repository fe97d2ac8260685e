"""Batch normalisation in Triton is the definition's, of whole channels and of bands, with ReLU and without."""

from functools import partial

import pytest
import torch
from torch import Tensor

from sigconv.geometry import Geometry
from sigconv.kernels import reference
from sigconv.kernels import triton as kernels
from sigconv.layout import channels_last, is_channels_last
from sigconv.window import Window

EPS = 1e-5


def _operands(dtype: torch.dtype, last: bool, shape: tuple[int, ...], bands: int) -> tuple[Tensor, ...]:
    x, g = (torch.randn(shape).to(dtype) for _ in range(2))
    weight, bias = (torch.randn(shape[1] * bands).to(dtype) for _ in range(2))
    return (channels_last(x), channels_last(g), weight, bias) if last else (x, g, weight, bias)


SHAPES = [((2, 3, 4, 7), 1), ((2, 3, 4, 7), 2), ((2, 9, 40), 1), ((2, 1, 6), 3)]
"""Of signals, and the bands that each is cut into."""
CASES = [
    *((torch.float32, last, *shape, True) for shape in SHAPES for last in (False, True)),
    (torch.float32, True, *SHAPES[0], False),
    (torch.bfloat16, True, *SHAPES[1], True),
    (torch.float16, False, *SHAPES[0], False),
]


@pytest.mark.parametrize(("dtype", "last", "shape", "bands", "rectified"), CASES)
def test_normalise(
    triton_device: str, dtype: torch.dtype, last: bool, shape: tuple[int, ...], bands: int, rectified: bool
) -> None:
    x, g, weight, bias = _operands(dtype, last, shape, bands)
    eps, count = torch.finfo(dtype).eps, x.numel() // len(weight)
    close = partial(torch.testing.assert_close, rtol=32 * eps, atol=32 * eps)
    there = [t.to(triton_device) for t in (x, weight, bias)]
    y, mean, var = kernels.normalise(*there, EPS, rectified)
    expected = reference.normalise(x, weight, bias, EPS, rectified)
    for mine, right in zip((y, mean, var), expected, strict=True):
        close(mine.cpu(), right)
    assert is_channels_last(y) if last else y.is_contiguous()

    back = x, g, weight, bias, *expected[1:]
    back_there = [t.to(triton_device) for t in back]
    found = kernels.grad_normalise(*back_there, EPS, rectified)
    for mine, right in zip(found, reference.grad_normalise(*back, EPS, rectified), strict=True):
        close(mine.cpu(), right, atol=max(32.0, count) * eps)  # sums of so many


@pytest.mark.parametrize("last", [False, True])
def test_errors_in_the_other_layout(triton_device: str, last: bool) -> None:
    x, g, weight, bias = _operands(torch.float32, last, (2, 3, 5), 1)
    _, mean, var = reference.normalise(x, weight, bias, EPS, True)
    there = [t.to(triton_device) for t in (x, g, weight, bias, mean, var)]
    other = there[1].contiguous() if last else channels_last(there[1])
    found = kernels.grad_normalise(there[0], other, *there[2:], EPS, True)  # the same bits, and these twice
    assert all(map(torch.equal, found, kernels.grad_normalise(*there, EPS, True)))


@pytest.mark.parametrize("last", [False, True])
def test_more_blocks_than_chunks(triton_device: str, last: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    from sigconv.kernels.triton import bands, chunks

    monkeypatch.setattr(bands, "BLOCK", 32)
    monkeypatch.setattr(chunks, "PROGRAMS", 2)
    test_normalise(triton_device, torch.float32, last, (2, 3, 21), 1, True)


def test_a_mean_far_from_zero_takes_no_digits_from_the_variance(triton_device: str) -> None:
    x = (1e4 + torch.randn(4, 2, 500)).to(triton_device)
    one = torch.ones(2, device=triton_device)
    _, mean, var = kernels.normalise(x, one, one, EPS, False)
    true = torch.var_mean(x.double(), (0, 2), correction=0)
    torch.testing.assert_close(mean, true[1], rtol=1e-7, atol=0)
    torch.testing.assert_close(var, true[0], rtol=1e-5, atol=0)


def test_numbers_that_are_none(triton_device: str) -> None:
    x = torch.randn(2, 2, 5, device=triton_device)
    x[0, 1, 3] = torch.nan
    one = torch.ones(2, device=triton_device)
    y, _, _ = kernels.normalise(x, one, one, EPS, True)
    assert y[:, 1].isnan().all()
    assert y[:, 0].isfinite().all()


@pytest.mark.parametrize("last", [False, True])
def test_errors_of_windows_with_a_winner(triton_device: str, last: bool) -> None:
    geometry = Geometry(Window.parse((2,), 2), (70,))
    g, winner = torch.randint(-3, 4, (2, 3, 35)).float(), torch.randint(0, 2, (2, 3, 35)).to(torch.uint8)
    winner[torch.rand(winner.shape) < 0.3] = kernels.NO_WINNER
    g, winner = (channels_last(g), channels_last(winner)) if last else (g, winner)
    found = kernels.error_sums(winner.to(triton_device), g.to(triton_device), geometry)
    assert torch.equal(found.cpu(), reference.error_sums(winner, g, geometry))
