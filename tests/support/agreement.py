"""A kernel beside the definition, and under all that torch does to functions."""

from collections.abc import Iterator
from itertools import chain
from types import ModuleType

import pytest
import torch
from torch import Tensor
from torch.func import grad, jvp, vmap
from torch.testing import assert_close

import sigconv
import sigconv.functional as F
from sigconv import planner
from sigconv.geometry import Geometry
from sigconv.kernels import reference
from sigconv.kernels.problem import Problem
from sigconv.layout import channels_last, is_channels_last

OPERATIONS = ("forward", "grad_input", "grad_weight")


def whole(*shape: int) -> Tensor:
    """Whole numbers, whose sums are exact in any order."""
    return torch.randint(-3, 4, shape).float()


def problems(
    geometry: Geometry, in_channels: int, out_channels: int, dtype: torch.dtype = torch.float32, batch: int = 2
) -> Iterator[tuple[Problem, tuple[Tensor, ...]]]:
    """The operations' problems, each with its operands: whole numbers."""
    x, bias = whole(batch, in_channels, *geometry.size).to(dtype), whole(out_channels).to(dtype)
    w = whole(out_channels, in_channels // geometry.groups, *geometry.window.kernel).to(dtype)
    g = whole(batch, out_channels, *geometry.output_size).to(dtype)
    for operation, operands in zip(OPERATIONS, ((x, w, bias), (w, g), (x, g)), strict=True):
        yield Problem.of(operation, geometry, operands), operands


def supported(kernel: ModuleType, geometry: Geometry, in_channels: int, out_channels: int) -> set[str]:
    found = problems(geometry, in_channels, out_channels)
    return {problem.operation for problem, _ in found if kernel.supports(problem)}


def assert_is_definition(
    kernel: ModuleType, geometry: Geometry, in_channels: int, out_channels: int, innermost: bool
) -> None:
    """Every operation that is supported: bit for bit, if the kernel is exact, and in the layout of the signal."""
    empty = problems(geometry, in_channels, out_channels, batch=0)
    for problem, operands in chain(problems(geometry, in_channels, out_channels), empty):
        if not kernel.supports(problem):
            continue
        operands = tuple(channels_last(x) if innermost else x for x in operands)
        found = getattr(kernel, problem.operation)(*operands, geometry)
        signal = operands[1] if problem.operation == "grad_input" else operands[0]
        if problem.batch and min(*found.shape[2:], *signal.shape[2:]) > 1:  # else both layouts can be the same
            assert is_channels_last(found) == is_channels_last(signal), problem.operation
            assert found.is_contiguous() or is_channels_last(found), problem.operation
        if getattr(kernel, "EXACT", True):
            assert torch.equal(found, getattr(reference, problem.operation)(*operands, geometry)), problem.operation
        else:
            assert_rounds_like_a_sum(found, problem.operation, operands, geometry)


def assert_rounds_like_a_sum(
    found: Tensor, operation: str, operands: tuple[Tensor | None, ...], geometry: Geometry
) -> None:
    """What is rounded off, as a share of the absolute values that a window sums up where it sees nothing but signal.

    Where it sees less, what is transformed as one (a tile, a whole signal) still rounds like all of it.
    """
    exact = getattr(reference, operation)(*(x if x is None else x.double() for x in operands), geometry)
    weights, signal = operands[:2] if operation == "grad_input" else operands[1::-1]
    summed = [axis for axis in range(weights.ndim) if axis != (operation != "forward")]
    whole = weights.abs().sum(summed).max() * signal.abs().sum() / max(signal.numel(), 1)  # 0 in an empty batch
    assert ((found - exact).abs() <= 8 * torch.finfo(found.dtype).eps * whole).all(), operation


def assert_differentiable(kernel: ModuleType, monkeypatch: pytest.MonkeyPatch, x: Tensor, w: Tensor, **options) -> None:
    """Derivatives of first and second order, forward mode and gradients of each sample, in float64."""
    monkeypatch.setitem(planner.KERNELS, "forced", kernel)
    leaves = x.double().requires_grad_(), w.double().requires_grad_()

    def conv(x: Tensor, w: Tensor) -> Tensor:
        return F.conv(x, w, **options)

    def loss(w: Tensor, sample: Tensor) -> Tensor:
        return conv(sample[None], w).square().sum()

    with sigconv.use_kernel("forced"):
        torch.autograd.gradcheck(conv, leaves, check_forward_ad=True, fast_mode=True)
        torch.autograd.gradgradcheck(conv, leaves, fast_mode=True)
        by_sample = vmap(grad(loss), in_dims=(None, 0))(leaves[1], leaves[0])
        of_input = vmap(grad(lambda x: loss(w.double(), x)))(leaves[0])
        assert_close(by_sample, torch.stack([grad(loss)(leaves[1], sample) for sample in leaves[0]]))
        assert_close(of_input, torch.stack([grad(lambda x: loss(w.double(), x))(sample) for sample in leaves[0]]))
        tangents = jvp(conv, leaves, leaves)[1]
    assert_close(tangents, 2 * conv(*leaves))
