"""Loops that Numba compiles on the user's machine, for any number of axes.

They compute max pooling, gradients of convolutions that are pooled, normalisation and statistics, and depthwise
convolution. They work on channels-last signals, copy others, and give their results in the layout of the input. Nothing
is compiled, nor Numba imported, before the first problem that they are chosen for.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from sigconv.geometry import Geometry, PooledGeometry
from sigconv.kernels.compiled import runtime
from sigconv.kernels.compiled.patches import padded_rows, patches, places_of_run
from sigconv.kernels.compiled.windows import CHUNKS, LANES, array, blocks_of, empty_rows, rows, windows
from sigconv.kernels.flipped import turned
from sigconv.kernels.problem import CONVOLUTION, MAX_POOLING, NO_WINNER, OF_WINNERS, STATISTICS, Problem
from sigconv.layout import like
from sigconv.padding import crop

DTYPES = (torch.float64, torch.float32)
WIDE = 64
"""Most lanes of places side by side."""


def supports(problem: Problem) -> bool:
    if problem.device != "cpu" or problem.dtype not in DTYPES or not problem.plain:
        return False
    if problem.operation.endswith(OF_WINNERS):
        return _has_patches(problem) and runtime.is_available()
    if problem.operation in STATISTICS:
        return runtime.is_available()
    if problem.in_channels < LANES:
        return False
    if problem.operation in MAX_POOLING:
        small = problem.geometry.window.places < NO_WINNER
        return small and problem.winners in (None, torch.uint8) and runtime.is_available()
    if problem.operation not in CONVOLUTION or not problem.depthwise or problem.out_channels != problem.in_channels:
        return False
    return (problem.operation != "grad_input" or problem.geometry.has_flipped) and runtime.is_available()


def _has_patches(problem: Problem) -> bool:
    geometry = problem.geometry
    assert isinstance(geometry, PooledGeometry)
    run = places_of_run(geometry) * problem.in_channels
    small = geometry.pool.places < NO_WINNER
    return geometry.groups == 1 and run >= LANES and small and problem.winners == torch.uint8


def max_pool(x: Tensor, geometry: Geometry) -> tuple[Tensor, Tensor]:
    """The maximum of each window and the winner's place in it, uint8."""
    return _max_pool(x, None, geometry)


def rectified_max_pool(x: Tensor, scale: Tensor, shift: Tensor, geometry: Geometry) -> tuple[Tensor, Tensor]:
    """The maximum of relu(scale x + shift) in each window, and the winner's place, or NO_WINNER where it is zero."""
    return _max_pool(x, (array(scale), array(shift)), geometry)


def _max_pool(x: Tensor, factors: tuple[np.ndarray, np.ndarray] | None, geometry: Geometry) -> tuple[Tensor, Tensor]:
    from sigconv.kernels.numba import pooling

    runtime.use_torchs_threads()
    best, values = empty_rows(x.shape[0], x.shape[1], geometry.output_size, x.dtype)
    winner, places = empty_rows(x.shape[0], x.shape[1], geometry.output_size, torch.uint8)
    pooling.max_pool(rows(x), factors, values, places, *windows(geometry))
    return like(best, x), winner


def normalised_max_pool(
    x: Tensor, weight: Tensor, bias: Tensor, eps: float, geometry: Geometry
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The same for x normalised by its own statistics, and these: mean and (biased) variance, float64."""
    from sigconv.kernels.numba import normalised_pooling

    runtime.use_torchs_threads()
    best, values = empty_rows(x.shape[0], x.shape[1], geometry.output_size, x.dtype)
    winner, places = empty_rows(x.shape[0], x.shape[1], geometry.output_size, torch.uint8)
    seen, (w, b) = rows(x), _by_channel(x.shape[1], weight, bias)
    mean, var = np.empty((2, x.shape[1], 1))
    normalised_pooling.forward(seen, _in_bands(seen, 1), w, b, eps, values, places, mean, var, *windows(geometry))
    return like(best, x), winner, torch.from_numpy(mean.reshape(-1)), torch.from_numpy(var.reshape(-1))


def grad_normalised_max_pool(
    x: Tensor, winner: Tensor, g: Tensor, weight: Tensor, mean: Tensor, var: Tensor, eps: float, geometry: Geometry
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of :func:`normalised_max_pool` with respect to x, weight and bias."""
    from sigconv.kernels.numba import normalised_pooling

    runtime.use_torchs_threads()
    gx, samples = empty_rows(x.shape[0], x.shape[1], geometry.size, x.dtype)
    gw, gb = np.empty((2, x.shape[1], 1), samples.dtype)
    w, m, v = _by_channel(x.shape[1], weight, mean, var)
    normalised_pooling.backward(rows(x), rows(winner), rows(g), w, m, v, eps, samples, gw, gb, *windows(geometry))
    return like(gx, x), torch.from_numpy(gw.reshape(-1)), torch.from_numpy(gb.reshape(-1))


def route(winner: Tensor, g: Tensor, geometry: Geometry) -> Tensor:
    """Each gradient added at its window's winner."""
    from sigconv.kernels.numba import pooling

    runtime.use_torchs_threads()
    gx, samples = empty_rows(g.shape[0], g.shape[1], geometry.size, g.dtype)
    pooling.route(rows(g), rows(winner), None, samples, *windows(geometry))
    return like(gx, g)


def error_sums(winner: Tensor, g: Tensor, geometry: Geometry) -> Tensor:
    """For each channel, the sum of the gradients g of windows that have a winner."""
    from sigconv.kernels.numba import pooling

    runtime.use_torchs_threads()
    errors = rows(g)
    alive, products = np.empty((2, g.shape[1]), errors.dtype)
    pooling.error_sums(errors, rows(winner), None, alive, products, *windows(geometry))
    return torch.from_numpy(alive)


def moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and (biased) variance of each map of each signal, (batch, channel), float64."""
    from sigconv.kernels.numba import statistics

    runtime.use_torchs_threads()
    mean, var = np.empty(x.shape[:2]), np.empty(x.shape[:2])
    statistics.moments(rows(x)[None], mean, var)
    return torch.from_numpy(mean), torch.from_numpy(var)


def scaled(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """scale x + shift, with factors (batch, channel)."""
    from sigconv.kernels.numba import statistics

    runtime.use_torchs_threads()
    y, out = empty_rows(x.shape[0], x.shape[1], x.shape[2:], x.dtype)
    statistics.scaled(rows(x)[None], array(scale), array(shift), _floor(False, out), out[None])
    return like(y, x)


def normalise(x: Tensor, weight: Tensor, bias: Tensor, eps: float, rectified: bool) -> tuple[Tensor, Tensor, Tensor]:
    """x normalised by bands, then ReLU if ``rectified``; and mean and (biased) variance of each band, float64."""
    from sigconv.kernels.numba import statistics

    runtime.use_torchs_threads()
    channels = x.shape[1]
    seen = _in_bands(rows(x), len(weight) // channels)
    y, out = empty_rows(x.shape[0], channels, x.shape[2:], x.dtype)
    mean, var = np.empty((2, channels, seen.shape[1]))
    w, b = _by_channel(channels, weight, bias)
    statistics.normalise(seen, w, b, eps, _floor(rectified, out), out.reshape(seen.shape), mean, var)
    return like(y, x), torch.from_numpy(mean.reshape(-1)), torch.from_numpy(var.reshape(-1))


def grad_normalise(
    x: Tensor, g: Tensor, weight: Tensor, bias: Tensor, mean: Tensor, var: Tensor, eps: float, rectified: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of :func:`normalise` with respect to x, weight and bias."""
    from sigconv.kernels.numba import statistics

    runtime.use_torchs_threads()
    channels, bands = x.shape[1], len(weight) // x.shape[1]
    seen, errors = _in_bands(rows(x), bands), _in_bands(rows(g), bands)
    gx, out = empty_rows(x.shape[0], channels, x.shape[2:], x.dtype)
    gw, gb = np.empty((2, channels, bands), seen.dtype)
    w, b, m, v = _by_channel(channels, weight, bias, mean, var)
    statistics.grad_normalise(seen, errors, w, b, m, v, eps, _floor(rectified, out), out.reshape(seen.shape), gw, gb)
    return like(gx, x), torch.from_numpy(gw.reshape(-1)), torch.from_numpy(gb.reshape(-1))


def _floor(rectified: bool, signal: np.ndarray) -> np.floating:
    """The lower bound of the output: zero with ReLU, minus infinity without."""
    return signal.dtype.type(0 if rectified else -np.inf)


def _by_channel(channels: int, *factors: Tensor) -> Iterator[np.ndarray]:
    """Each (channel x band,) as (channel, band)."""
    return (array(factor).reshape(channels, -1) for factor in factors)


def _in_bands(seen: np.ndarray, bands: int) -> np.ndarray:
    """(batch, place, channel) as (signal, band, row, lane); with one band all signals form one long signal.

    Where channels are few, several places share a row, as far as the number of places allows.
    """
    signals, channels = 1 if bands == 1 else len(seen), seen.shape[-1]
    places, together = seen.size // (signals * bands * channels), 1
    while places % (2 * together) == 0 and 2 * together * channels <= WIDE:
        together *= 2
    return seen.reshape(signals, bands, places // together, together * channels)


def forward(x: Tensor, w: Tensor, bias: Tensor | None, geometry: Geometry) -> Tensor:
    from sigconv.kernels.numba import depthwise

    runtime.use_torchs_threads()
    y, outputs = empty_rows(x.shape[0], w.shape[0], geometry.output_size, x.dtype)
    shift = x.new_zeros(w.shape[0]) if bias is None else bias
    depthwise.forward(rows(x), _by_place(w), array(shift), outputs, *windows(geometry))
    return like(y, x)


def grad_input(w: Tensor, g: Tensor, geometry: Geometry) -> Tensor:
    """The convolution of the output's gradient with the flipped kernel."""
    return forward(g, turned(w), None, geometry.flipped)


def grad_weight(x: Tensor, g: Tensor, geometry: Geometry) -> Tensor:
    from sigconv.kernels.numba import depthwise

    runtime.use_torchs_threads()
    channels = x.shape[1]
    parts = x.new_empty((CHUNKS, geometry.window.places, blocks_of(channels), LANES))
    depthwise.grad_weight(rows(x), rows(g), parts.numpy(), *windows(geometry))
    return _joined(parts.sum(0), channels).t().reshape(channels, 1, *geometry.window.kernel)


def grad_weight_of_winners(x: Tensor, winner: Tensor, g: Tensor, geometry: PooledGeometry) -> Tensor:
    from sigconv.kernels.numba import winners

    runtime.use_torchs_threads()
    found, padded = patches(geometry, x.shape[1]), padded_rows(x, geometry).reshape(len(x), -1)
    gw = np.empty((g.shape[1], len(found.weight)), padded.dtype)
    parts = g.new_empty((CHUNKS, g.shape[1], len(found.offset) * LANES)).numpy()
    winners.grad_weight(padded, rows(g), rows(winner), parts, gw, *found)
    return torch.from_numpy(gw).reshape(g.shape[1], x.shape[1], *geometry.window.kernel)


def grad_input_of_winners(w: Tensor, winner: Tensor, g: Tensor, geometry: PooledGeometry) -> Tensor:
    from sigconv.kernels.numba import winners

    runtime.use_torchs_threads()
    found, weights = patches(geometry, w.shape[1]), array(w.flatten(1))
    gx, samples = empty_rows(g.shape[0], w.shape[1], geometry.padded_size, g.dtype)
    winners.grad_input(weights, rows(g), rows(winner), samples.reshape(len(g), -1), *found)
    return like(crop(gx, geometry.window.padding), g)


def _joined(sums: Tensor, channels: int) -> Tensor:
    """(..., block, lane) as (..., channels); a last block that overlaps the one before adds only its new lanes."""
    whole = channels // LANES
    new = sums[..., whole:, whole * LANES - channels :] if channels % LANES else sums[..., whole:, :]
    return torch.cat([sums[..., :whole, :].flatten(-2), new.flatten(-2)], -1)


def _by_place(w: Tensor) -> np.ndarray:
    """w (channels, 1, *kernel) as (places, channels)."""
    return array(w.flatten(1).t())
