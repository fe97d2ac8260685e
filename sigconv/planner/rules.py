"""Measured rules: which kernel is faster than the vendor's, and where.

The first rule that applies is taken, so the order matters. Gains on a CPU are medians against torch.nn in its best
layout, from ``sigconv bench``; docs/performance.md has all figures, and the machine. Those on a GPU are from an H200,
for single kernels against the vendor's in the same layout, without call overhead.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

from sigconv.geometry import PooledGeometry
from sigconv.kernels import triton, winograd
from sigconv.kernels.problem import CONVOLUTION, MAX_POOLING, OF_WINNERS, STATISTICS, Problem
from sigconv.processor import has_avx2_alone, is_amd


@dataclass(frozen=True)
class Rule:
    """Take ``kernel`` for a problem that ``applies``, because it is faster there."""

    kernel: str
    because: str
    applies: Callable[[Problem], bool]


def _on_cpu(problem: Problem, *operations: str) -> bool:
    return problem.device == "cpu" and problem.operation in operations


def _on_gpu(problem: Problem, *operations: str) -> bool:
    return problem.device == "cuda" and problem.operation in operations


def _is_separate(problem: Problem) -> bool:
    """A convolution of several channels, each convolved separately."""
    return problem.depthwise and problem.geometry.groups > 1


def _winners_are_few(problem: Problem) -> bool:
    """At most half of the samples that are pooled can win."""
    assert isinstance(problem.geometry, PooledGeometry)
    return 2 * math.prod(problem.output_size) <= math.prod(problem.geometry.pooling.size)


def _has_small_fast_kernel(problem: Problem) -> bool:
    """The vendor has one for pictures and small windows without dilation."""
    window = problem.geometry.window
    return window.ndim == 2 and window.places < 25 and max(window.dilation) == 1


def _is_worth_a_call(problem: Problem) -> bool:
    """In channels-last the vendor convolves a small signal in less time than a call of our Function takes."""
    window = problem.geometry.window
    few = 1 << 20 if max(window.dilation) == 1 else 1 << 18
    return not problem.channels_last or window.ndim > 2 or problem.inputs * window.places >= few


def _is_long_line(problem: Problem) -> bool:
    """A long signal of one axis. In the default layout g is reordered first, which pays for long, strided windows."""
    window = problem.geometry.window
    pays = window.places >= 64 and window.stride[0] > 1 and problem.in_channels == 1 and problem.out_channels <= 64
    return window.ndim == 1 and problem.outputs >= 1 << 16 and (problem.channels_last or pays)


def _is_large_picture(problem: Problem) -> bool:
    """A picture convolved with stride 1 whose output gradient does not fit into the cache."""
    window, large = problem.geometry.window, problem.out_channels >= 48 and problem.outputs >= 1 << 22
    return window.ndim == 2 and max(window.stride) == 1 and large and problem.channels_last


def _reaches_far_out(problem: Problem) -> bool:
    """A long window over few channels that reaches far into the padding, in channels-last, along two axes at most."""
    window, few = problem.geometry.window, problem.in_channels <= 4 and problem.geometry.groups == 1
    far = window.ndim <= 2 and window.places > 32 and max(map(max, window.padding)) > 4
    return few and far and problem.channels_last and problem.products >= 1 << 24


def _is_video(problem: Problem) -> bool:
    """Video of few channels and windows of a moderate number of places."""
    window = problem.geometry.window
    few = problem.in_channels <= 3 and problem.in_channels * window.places <= 256
    return window.ndim == 3 and few and problem.channels_last and problem.outputs >= 1 << 16


def _products_are_fast(problem: Problem) -> bool:
    """torch usually multiplies matrices with MKL; on AMD processors the vendor's channels-last kernels are faster."""
    return not (problem.channels_last and is_amd())


def _triton_convolves_each(problem: Problem) -> bool:
    """Where cuDNN is not faster: it has special kernels for small undilated windows over channels-last pictures, and in
    half precision for large square ones too."""
    window, half = problem.geometry.window, problem.dtype != torch.float32
    if not problem.channels_last:
        most = 40 if window.ndim == 1 else 10
        return problem.operation != "grad_weight" and window.ndim < 3 and window.places < most
    picture, square = window.ndim == 2 and max(window.dilation) == 1, len({*window.kernel}) == 1
    if problem.operation == "grad_weight":
        return not (picture and (square if half else window.places < 25))
    return not (picture and square and (half or window.places < 25)) and (window.ndim > 2 or window.places < 40)


def _tiles_win(problem: Problem) -> bool:
    """Tiles save products, or the vendor, without AVX-512, takes 2 to 5 times as long for 1-D weight gradients."""
    slow = problem.operation == "grad_weight" and problem.geometry.window.ndim == 1 and has_avx2_alone()
    return winograd.gain(problem) >= (0.6 if slow else 1.1)


LEAST_PLANNED = 1 << 13
"""Elements of a signal below which no rule applies: there, call overhead dominates."""

LEAST_FUSED = 1 << 17
"""Elements before pooling below which blocks are not fused: a Function of ours would cost more than it saves."""

LEAST_POOLED = 400_000
"""The same for pooling alone in channels-last, where the vendor is fast."""

LEAST_ON_GPU = 1 << 24
"""Elements below which, in convolution and normalisation, a GPU takes less time than our call overhead of about half a
millisecond. Pooling needs twice as many."""

LEAST_RECTIFIED = {"cpu": LEAST_POOLED, "cuda": 4 * LEAST_ON_GPU}
"""The same for batch normalisation with ReLU, where torch is not slow, by the type of device."""

RULES: tuple[Rule, ...] = (
    Rule(
        "triton",
        "winners are remembered in a byte, and all before is done on the way: only the pooled map is written (1.4 to 6 "
        "times)",
        lambda p: _on_gpu(p, *MAX_POOLING) and (p.inputs >= 2 * LEAST_ON_GPU or p.winners == torch.uint8),
    ),
    Rule(
        "triton",
        "the vendor reads and writes a signal twice as often as is needed, and copies it for bands (1.5 to 4 times)",
        lambda p: _on_gpu(p, "normalise", "grad_normalise") and p.inputs >= LEAST_ON_GPU,
    ),
    Rule(
        "fft",
        "the window is so long that a product of spectra is faster (2 to 100 times)",
        lambda p: (
            _on_gpu(p, *CONVOLUTION)
            and _is_separate(p)
            and p.geometry.window.places >= 200
            and p.inputs >= LEAST_ON_GPU
        ),
    ),
    Rule(
        "triton",
        "the vendor is slow at windows over each channel by itself (1.1 to 50 times)",
        lambda p: (
            _on_gpu(p, *CONVOLUTION) and _is_separate(p) and p.inputs >= LEAST_ON_GPU and _triton_convolves_each(p)
        ),
    ),
    Rule(
        "flipped",
        "the vendor's convolution with the flipped kernel is faster than its gradient (1.1 to 1.8 times)",
        lambda p: _on_gpu(p, "grad_input") and _is_separate(p) and p.inputs >= LEAST_ON_GPU,
    ),
    Rule(
        "triton",
        "the vendor takes eight channels at a time, of which a first layer has three at most (1.3 to 10 times)",
        lambda p: (
            _on_gpu(p, "forward", "grad_weight")
            and triton.has_few_channels(p.in_channels, p.geometry)
            and p.products >= 1 << 30
        ),
    ),
    Rule(
        "numba",
        "winners are remembered in a byte, and pooling goes over channels that lie side by side (1.1 to 1.6 times)",
        lambda p: _on_cpu(p, *MAX_POOLING),
    ),
    Rule(
        "numba",
        "torch is slow at statistics of parts of channels-last signals, and copies what it normalises (1.2 to 4 times)",
        lambda p: _on_cpu(p, *STATISTICS) and p.channels_last,
    ),
    Rule(
        "numba",
        "only winners have an error, so the products of all others are left out (1.2 to 3 times)",
        lambda p: (
            _on_cpu(p, "grad_input" + OF_WINNERS, "grad_weight" + OF_WINNERS)
            and _winners_are_few(p)
            and p.in_channels * p.out_channels * p.geometry.window.places <= 1 << 18
            and (p.operation.startswith("grad_weight") or p.batch >= torch.get_num_threads())  # a signal per thread
        ),
    ),
    Rule(
        "fft",
        "the window is so long that a product of spectra is faster (2 to 40 times)",
        lambda p: (
            _is_separate(p)
            and (
                (_on_cpu(p, *CONVOLUTION) and p.geometry.window.places >= 400)
                or (_on_cpu(p, "grad_weight") and p.geometry.window.places >= 200)
                or (_on_cpu(p, "forward") and p.geometry.window.places >= 64 and not p.channels_last)
            )
        ),
    ),
    Rule(
        "numba",
        "the vendor convolves each channel by itself slowly if the window has gaps, and copies what is padded unevenly",
        lambda p: (
            _on_cpu(p, "forward", "grad_input")
            and _is_separate(p)
            and ((max(p.geometry.window.dilation) > 1 and _is_worth_a_call(p)) or p.geometry.window.is_padded_unevenly)
        ),
    ),
    Rule(
        "flipped",
        "the vendor's convolution with the flipped kernel is faster than its gradient (1.1 to 10 times)",
        lambda p: (
            _on_cpu(p, "grad_input") and _is_separate(p) and not _has_small_fast_kernel(p) and _is_worth_a_call(p)
        ),
    ),
    Rule(
        "numba",
        "the vendor sums up the weights' gradients of separate channels slowly (3 to 25 times)",
        lambda p: (
            _on_cpu(p, "grad_weight") and _is_separate(p) and not _has_small_fast_kernel(p) and _is_worth_a_call(p)
        ),
    ),
    Rule(
        "overlap_add",
        "one matrix product and an overlap-add do not idle on few channels (2 to 20 times)",
        lambda p: (
            _on_cpu(p, "grad_input")
            and p.in_channels <= 4
            and p.out_channels >= 16 * p.in_channels
            and p.in_channels * p.geometry.window.places >= 8
            and p.outputs >= 1 << 16
            and (max(p.geometry.window.stride) > 1 or p.geometry.window.kernel[-1] <= 19)
        ),
    ),
    Rule(
        "few_channels",
        "the vendor takes many channels at a time, of which a first layer has few (1.1 to 3 times)",
        lambda p: _on_cpu(p, "grad_weight") and p.in_channels <= 8 and (_is_long_line(p) or _is_large_picture(p)),
    ),
    Rule(
        "few_channels",
        "without AVX-512 the vendor is slow at video of few channels (1.1 to 2 times)",
        lambda p: _on_cpu(p, "grad_weight") and _is_video(p) and has_avx2_alone(),
    ),
    Rule(
        "padded",
        "without AVX-512 the vendor is slow at long windows that reach out of signals of few channels (1.4 to 4 times)",
        lambda p: _on_cpu(p, "forward") and p.dtype == torch.float32 and _reaches_far_out(p) and has_avx2_alone(),
    ),
    Rule(
        "pointwise",
        "a window of one place is a matrix product (1.1 to 4 times)",
        lambda p: (
            _on_cpu(p, *CONVOLUTION) and _products_are_fast(p) and p.geometry.window.ndim > 2 and p.outputs >= 1 << 16
        ),
    ),
    Rule(
        "winograd",
        "tiles of the output take fewer products than the sums themselves (1.1 to 4 times)",
        lambda p: _on_cpu(p, *CONVOLUTION) and p.channels_last and p.products >= 1 << 25 and _tiles_win(p),
    ),
)
