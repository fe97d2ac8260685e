"""Dense convolution of few input channels, as first layers have them: products of matrices that are never written out.

The matrix of the input has a column for each window and a row for each term of its sum: (input channel, place in the
window), as the weights lie in memory. A vendor would pad one to three channels to eight.

Shapes: x (batch, in channels, *size), w (out channels, in channels, *kernel), g and y (batch, out channels, *output
size).
"""

from functools import partial
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from sigconv.geometry import Geometry
from sigconv.kernels.triton.chunks import chunks_for, joined, power_of_2
from sigconv.kernels.triton.strided import address, strided
from sigconv.kernels.triton.tape import empty, laid_out_empty
from sigconv.kernels.triton.tiles import extent, is_large
from sigconv.kernels.triton.tuning import Grid, Kernel, fixed
from sigconv.kernels.triton.windows import in_three_axes, place_in, samples, unravel

LEAST = 16
"""The smallest side of a matrix that tensor cores multiply."""


@triton.jit
def _matrix(x, b, p, places, term, output_size, size, frame: tl.constexpr):
    """The input's matrix at terms (n, 1) and windows ``p`` (1, m)."""
    channel = term // frame.places
    i, inside = samples(unravel(p, output_size), place_in(frame, term % frame.places), size, frame)
    return tl.load(address(x, b, channel, i), inside & (channel < x.channels) & (p < places), other=0.0)


def forward(x: Tensor, w: Tensor, bias: Tensor | None, geometry: Geometry, precision: str) -> Tensor:
    """``precision`` is that of float32 products, by Triton's names: "ieee" or "tf32"."""
    size, output_size, frame = in_three_axes(geometry)
    y = laid_out_empty(x, w.shape[0], geometry.output_size)
    signal = strided(y)
    map_block, terms = power_of_2(w.shape[0], LEAST, 64), w[0].numel()

    def grid(meta: dict[str, Any]) -> Grid:
        return y.shape[0] * triton.cdiv(signal.places, meta["place_block"]), triton.cdiv(w.shape[0], map_block), 1

    _forward(
        grid,
        strided(x),
        strided(w),
        bias,
        signal,
        size,
        output_size,
        extent(y),
        tuned=is_large(y),
        frame=frame,
        terms=terms,
        map_block=map_block,
        term_block=power_of_2(terms, LEAST, 32),
        precision=precision,
    )
    return y


FORMS = ((128, 4), (64, 4))
"""Places that a program computes, and its warps."""


@partial(
    Kernel,
    configs=[triton.Config({"place_block": places}, num_warps=warps) for places, warps in FORMS],
    key=["frame", "terms", "extent", "precision"],
)
def _forward(
    x,
    w,
    bias,
    y,
    size,
    output_size,
    extent,
    frame: tl.constexpr,
    terms: tl.constexpr,
    map_block: tl.constexpr,
    term_block: tl.constexpr,
    precision: tl.constexpr,
    place_block: tl.constexpr,
):
    place_blocks = tl.cdiv(y.places, place_block)
    b = tl.program_id(0) // place_blocks
    p = (tl.program_id(0) % place_blocks) * place_block + tl.arange(0, place_block)[None, :]
    map = tl.program_id(1) * map_block + tl.arange(0, map_block)[:, None]
    total = tl.zeros((map_block, place_block), tl.float32)
    for start in range(0, terms, term_block):
        term = start + tl.arange(0, term_block)
        seen = _matrix(x, b, p, y.places, term[:, None], output_size, size, frame)
        weight = address(w, map, term[None, :] // frame.places, term[None, :] % frame.places)
        weights = tl.load(weight, (map < y.channels) & (term[None, :] < terms), other=0.0)
        total = tl.dot(weights, seen, total, input_precision=precision)
    if bias is not None:
        total += tl.load(bias + map, map < y.channels, other=0.0).to(tl.float32)
    tl.store(address(y, b, map, p), total, (p < y.places) & (map < y.channels))


def grad_weight(x: Tensor, g: Tensor, geometry: Geometry, precision: str) -> Tensor:
    size, output_size, frame = in_three_axes(geometry)
    errors, terms, place_block = strided(g), x.shape[1] * frame.places, 64
    map_block, term_block = power_of_2(g.shape[1], LEAST, 64), power_of_2(terms, LEAST, 64)
    map_blocks, term_blocks = triton.cdiv(g.shape[1], map_block), triton.cdiv(terms, term_block)
    units = g.shape[0] * triton.cdiv(errors.places, place_block)
    chunks = chunks_for(units, map_blocks * term_blocks)
    found = empty(x, (chunks, g.shape[1], terms), torch.float32)
    _grad_weight(
        (chunks, map_blocks, term_blocks),
        strided(x),
        errors,
        found,
        size,
        output_size,
        units,
        frame=frame,
        terms=terms,
        map_block=map_block,
        term_block=term_block,
        place_block=place_block,
        precision=precision,
    )
    return joined(found, empty(x, (g.shape[1], x.shape[1], *geometry.window.kernel)))


@fixed(warps=8)
def _grad_weight(
    x,
    g,
    found,
    size,
    output_size,
    units,
    frame: tl.constexpr,
    terms: tl.constexpr,
    map_block: tl.constexpr,
    term_block: tl.constexpr,
    place_block: tl.constexpr,
    precision: tl.constexpr,
):
    """The sum over one chunk of the batch's places."""
    chunk, chunks = tl.program_id(0), tl.num_programs(0)
    map = tl.program_id(1) * map_block + tl.arange(0, map_block)[:, None]
    term = tl.program_id(2) * term_block + tl.arange(0, term_block)
    place_blocks = tl.cdiv(g.places, place_block)
    total = tl.zeros((map_block, term_block), tl.float32)
    for unit in range(chunk, units, chunks):
        b = unit // place_blocks
        p = (unit % place_blocks) * place_block + tl.arange(0, place_block)[None, :]
        error = tl.load(address(g, b, map, p), (map < g.channels) & (p < g.places), other=0.0)
        seen = _matrix(x, b, p, g.places, term[:, None], output_size, size, frame)
        total = tl.dot(error, tl.trans(seen), total, input_precision=precision)
    place = (chunk * g.channels + map) * terms + term[None, :]
    tl.store(found + place, total, (map < g.channels) & (term[None, :] < terms))
