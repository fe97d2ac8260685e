"""Where one kernel of ours takes several steps at once, or a gradient through several."""

from dataclasses import replace

import torch
from torch import Tensor

from sigconv.geometry import Geometry, PooledGeometry, each_place
from sigconv.kernels.problem import OF_WINNERS, Problem, autocast_dtype, is_autocast, is_forward_mode, is_plain
from sigconv.layout import is_batched
from sigconv.planner.choice import Settings, is_forced, search, settings_now
from sigconv.planner.rules import LEAST_FUSED, LEAST_POOLED, LEAST_RECTIFIED
from sigconv.remembered import remembered
from sigconv.window import Sizes, Window


def is_ours(operation: str, geometry: Geometry, x: Tensor) -> bool:
    """Whether one of our own kernels computes an operation on x; they do not support forward mode."""
    if torch.compiler.is_compiling() or is_forward_mode():
        return False
    return _is_ours(Problem.of(operation, geometry, (x,)), settings_now())


def normalises(x: Tensor, bands: int) -> bool:
    """Whether a kernel of ours normalises signals like x (batch, channel, *size), with ``bands`` over all channels."""
    # Asked first: comparing a symbolic size would specialise what is compiled or exported.
    if torch.compiler.is_compiling():
        return False
    return x.numel() > bands and is_ours("normalise", each_place(x.shape[2:]), x)


def rectifies(x: Tensor) -> bool:
    """The same for whole channels with ReLU, where that is faster."""
    if torch.compiler.is_compiling() or x.numel() < LEAST_POOLED:  # enough on no device: quicker than to ask for it
        return False
    least = LEAST_RECTIFIED.get(x.device.type)
    return least is not None and x.numel() >= least and normalises(x, x.shape[1])


def has_fused_pool(operation: str, window: Window, pool: Window, x: Tensor, channels: int) -> bool:
    """Whether one kernel fuses max pooling with the step before it, for x convolved by ``window`` to this number of
    ``channels``; none supports forward mode."""
    if torch.compiler.is_compiling() or (not is_forced() and x.numel() * channels < LEAST_FUSED // 4 * x.shape[1]):
        return False  # too few, unless padding makes four times as many; not fusing is always right
    if not is_plain((x,)) or is_batched(x) or is_forward_mode():
        return False
    dtype = autocast_dtype(x) if is_autocast(x) else x.dtype
    return _fuses(operation, window, pool, x.shape, channels, dtype, x.device.type, settings_now())


@remembered
def _fuses(
    operation: str,
    window: Window,
    pool: Window,
    shape: Sizes,
    channels: int,
    dtype: torch.dtype,
    device: str,
    settings: Settings,
) -> bool:
    geometry = Geometry(pool, window.output_size(shape[2:]))
    if min(geometry.size) < 1 or min(geometry.output_size) < 1 or pool.blind_axis(geometry.size) is not None:
        return False
    problem = Problem(operation, geometry, shape[0], channels, channels, dtype, device, True, True)
    return (problem.inputs >= LEAST_FUSED or settings.forced is not None) and _is_ours(problem, settings)


def has_gradients_of_winners(geometry: PooledGeometry, x: Tensor, w: Tensor) -> bool:
    """Whether kernels of ours take a pooled map's gradient through the convolution before it, where it is needed."""
    if not torch.is_grad_enabled() or not (x.requires_grad or w.requires_grad):
        return False
    return _takes_winners(Problem.of("forward", geometry, (x, w)), x.requires_grad, w.requires_grad, settings_now())


@remembered
def _takes_winners(seen: Problem, by_input: bool, by_weight: bool, settings: Settings) -> bool:
    wanted = ["grad_input"] * by_input + ["grad_weight"] * by_weight
    return all(_is_ours(replace(seen, operation=name + OF_WINNERS, winners=torch.uint8), settings) for name in wanted)


def _is_ours(problem: Problem, settings: Settings) -> bool:
    return search(problem, settings).kernel not in ("vendor", "reference")
