"""Depthwise convolution: each channel by itself, to one map or several (its multiplier).

Shapes: x (batch, channels, *size), w (channels * multiplier, 1, *kernel), g and y (batch, channels * multiplier,
*output size). The causal convolution in time is the case of one axis padded in front.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from sigconv.geometry import Geometry
from sigconv.kernels.triton.chunks import chunks_for, joined, power_of_2
from sigconv.kernels.triton.strided import Strided, address, strided
from sigconv.kernels.triton.tape import empty, laid_out_empty
from sigconv.kernels.triton.tiles import along_channels, extent, grid, is_large, tile, tiled
from sigconv.kernels.triton.tuning import fixed
from sigconv.kernels.triton.windows import in_three_axes, observers, place_in, ravel, samples, unravel
from sigconv.layout import is_channels_last

ACCUMULATORS = 4096
"""Accumulators of one program of grad_weight: 64 registers of each of its 64 threads."""
BLOCK = 1024
"""Weights that one program transposes."""


def forward(x: Tensor, w: Tensor, bias: Tensor | None, geometry: Geometry) -> Tensor:
    size, output_size, frame = in_three_axes(geometry)
    y = laid_out_empty(x, w.shape[0], geometry.output_size)
    _forward(
        grid(y),
        strided(x),
        _weights(w, x),
        bias,
        strided(y),
        size,
        output_size,
        extent(y),
        tuned=is_large(y),
        frame=frame,
        multiplier=w.shape[0] // x.shape[1],
        by_channel=along_channels(y),
    )
    return y


@tiled
def _forward(
    x,
    w,
    bias,
    y,
    size,
    output_size,
    extent,
    frame: tl.constexpr,
    multiplier: tl.constexpr,
    by_channel: tl.constexpr,
    lanes: tl.constexpr,
    rows: tl.constexpr,
):
    b, c, o, exists = tile(y, output_size, by_channel, lanes, rows)
    total = tl.zeros(exists.shape, tl.float32)
    for k in tl.range(frame.places, loop_unroll_factor=8):
        i, inside = samples(o, place_in(frame, k), size, frame)
        value = tl.load(address(x, b, c // multiplier, i), exists & inside, other=0.0).to(tl.float32)
        total += value * tl.load(address(w, 0, c, k), c < y.channels, other=0.0).to(tl.float32)
    if bias is not None:
        total += tl.load(bias + c, c < y.channels, other=0.0).to(tl.float32)
    tl.store(address(y, b, c, ravel(o, output_size)), total, exists)


def grad_input(w: Tensor, g: Tensor, geometry: Geometry) -> Tensor:
    size, output_size, frame = in_three_axes(geometry)
    gx = laid_out_empty(g, geometry.groups, geometry.size)
    _grad_input(
        grid(gx),
        _weights(w, g),
        strided(g),
        strided(gx),
        size,
        output_size,
        extent(gx),
        tuned=is_large(gx),
        frame=frame,
        multiplier=w.shape[0] // geometry.groups,
        by_channel=along_channels(gx),
    )
    return gx


@tiled
def _grad_input(
    w,
    g,
    gx,
    size,
    output_size,
    extent,
    frame: tl.constexpr,
    multiplier: tl.constexpr,
    by_channel: tl.constexpr,
    lanes: tl.constexpr,
    rows: tl.constexpr,
):
    b, c, i, exists = tile(gx, size, by_channel, lanes, rows)
    total = tl.zeros(exists.shape, tl.float32)
    for m in range(multiplier):
        map = c * multiplier + m
        for j in tl.range(frame.observers, loop_unroll_factor=8):
            o, k, there = observers(i, j, output_size, frame)
            error = tl.load(address(g, b, map, o), exists & there, other=0.0).to(tl.float32)
            known = c < gx.channels
            if frame.strided:  # samples side by side are at different places of their windows, or at none
                known = known & there
            total += error * tl.load(address(w, 0, map, k), known, other=0.0).to(tl.float32)
    tl.store(address(gx, b, c, ravel(i, size)), total, exists)


def _weights(w: Tensor, signal: Tensor) -> Strided:
    """The weights as a signal of one item, in the layout of ``signal``, so that they are read contiguously as it is."""
    flat = strided(w.reshape(1, w.shape[0], -1))
    if not is_channels_last(signal):
        return flat
    turned = empty(w, (flat.places, flat.channels))
    _turn((triton.cdiv(w.numel(), BLOCK), 1, 1), flat.data, turned, flat.channels, flat.places, block=BLOCK)
    return Strided(turned, flat.channels, flat.places, w.numel(), 1, flat.channels)


@fixed(warps=4)
def _turn(w, turned, channels, places, block: tl.constexpr):
    """Transpose (channel, place) to (place, channel)."""
    n = tl.program_id(0) * block + tl.arange(0, block)
    there = n < channels * places
    tl.store(turned + n, tl.load(w + (n % channels) * places + n // channels, there), there)


def grad_weight(x: Tensor, g: Tensor, geometry: Geometry) -> Tensor:
    size, output_size, frame = in_three_axes(geometry)
    errors, places = strided(g), power_of_2(frame.places)
    channel_block, place_block = _block(errors, ACCUMULATORS // places)
    channel_blocks, units = triton.cdiv(g.shape[1], channel_block), g.shape[0] * triton.cdiv(errors.places, place_block)
    chunks = chunks_for(units, channel_blocks)
    found = empty(x, (chunks, g.shape[1], frame.places), torch.float32)
    _grad_weight(
        (chunks, channel_blocks, 1),
        strided(x),
        errors,
        found,
        size,
        output_size,
        units,
        frame=frame,
        multiplier=g.shape[1] // x.shape[1],
        channel_block=channel_block,
        place_block=place_block,
        window_block=places,
    )
    return joined(found, empty(x, (g.shape[1], 1, *geometry.window.kernel)))


def _block(signal: Strided, numbers: int) -> tuple[int, int]:
    """Channels and places of a block of at most ``numbers``, wide along what is innermost in memory."""
    if signal.channel == 1:
        channel_block = power_of_2(signal.channels, most=min(64, numbers))
        return channel_block, power_of_2(signal.places, most=numbers // channel_block)
    place_block = power_of_2(signal.places, most=min(256, numbers))
    return power_of_2(signal.channels, most=numbers // place_block), place_block


@fixed(warps=2)
def _grad_weight(
    x,
    g,
    found,
    size,
    output_size,
    units,
    frame: tl.constexpr,
    multiplier: tl.constexpr,
    channel_block: tl.constexpr,
    place_block: tl.constexpr,
    window_block: tl.constexpr,
):
    """The sum over one chunk, for all places of the window at once: blocks are (window, channels, places)."""
    chunk, chunks = tl.program_id(0), tl.num_programs(0)
    k = tl.arange(0, window_block)
    c = tl.program_id(1) * channel_block + tl.arange(0, channel_block)
    at = place_in(frame, k[:, None, None])
    wanted = (k[:, None, None] < frame.places) & (c[None, :, None] < g.channels)
    place_blocks = tl.cdiv(g.places, place_block)
    total = tl.zeros((window_block, channel_block, place_block), tl.float32)
    for unit in range(chunk, units, chunks):
        b = unit // place_blocks
        p = (unit % place_blocks) * place_block + tl.arange(0, place_block)[None, None, :]
        p = tl.max_contiguous(p, [1, 1, 1])
        exists = (c[None, :, None] < g.channels) & (p < g.places)
        o = unravel(p, output_size)
        error = tl.load(address(g, b, c[None, :, None], ravel(o, output_size)), exists, other=0.0)
        i, inside = samples(o, at, size, frame)
        seen = wanted & inside & (p < g.places)
        value = tl.load(address(x, b, c[None, :, None] // multiplier, i), seen, other=0.0)
        total += value.to(tl.float32) * error.to(tl.float32)
    place = (chunk * g.channels + c[None, :]) * frame.places + k[:, None]
    tl.store(found + place, tl.sum(total, 2), (k[:, None] < frame.places) & (c[None, :] < g.channels))
