"""Compiled loops of a pooled convolution's gradients. Only winners have a gradient, so only their products are taken.

In a map pooled by 2 x 2 that is one in four. The winners differ from channel to channel, so they do not form a matrix
product; but each of them involves a whole patch (see :mod:`.patches`), vector by vector.
"""

import numpy as np

from sigconv.kernels.compiled.lines import add_row
from sigconv.kernels.compiled.parallel import in_parallel
from sigconv.kernels.compiled.products import AT_ONCE, add_products
from sigconv.kernels.compiled.runtime import called, inlined, jit
from sigconv.kernels.compiled.simd import LANES, item
from sigconv.kernels.compiled.windows import CHUNKS
from sigconv.kernels.problem import NO_WINNER

TILE = 32
"""Pooled places that are processed for some vectors before the next ones: what they see stays in cache."""


@inlined
def vectors_at_once(count):
    """How many vectors to take at a time, so that the last turn has about as many as those before."""
    times = (count + AT_ONCE - 1) // AT_ONCE
    return (count + times - 1) // times


@jit
def grad_weight(x, g, winner, parts, gw, begin, shift, offset, weight):
    """gw (out channel, number of a window) from x (batch, number of the padded input).

    parts (chunk, out channel, number of the vectors) has room for the sums of each chunk of tiles.
    """
    in_parallel(chunks_of_tiles, CHUNKS, (x, g, winner, parts, begin, shift, offset))
    in_parallel(summed_up, len(gw), (parts, gw, weight))


@called
def chunks_of_tiles(some, x, g, winner, parts, begin, shift, offset):
    batch, outputs, channels = g.shape
    vectors, tiles, samples = len(offset), (outputs + TILE - 1) // TILE, x.shape[1]
    xs, gs, winners, sums = x.reshape(-1), g.reshape(-1), winner.reshape(-1), parts.reshape(-1)
    side_by_side, step = np.arange(0, vectors * LANES, LANES), vectors_at_once(vectors)
    start, error = np.empty(TILE, np.int64), np.empty(TILE, g.dtype)
    for chunk in some:
        parts[chunk] = 0
        for task in range(batch * tiles * chunk // CHUNKS, batch * tiles * (chunk + 1) // CHUNKS):
            b, tile = task // tiles, task % tiles
            for c in range(channels):
                count = 0
                for o in range(tile * TILE, min(outputs, (tile + 1) * TILE)):
                    i = (b * outputs + o) * channels + c
                    k = item(winners, i)
                    if k != NO_WINNER:
                        start[count] = b * samples + item(begin, o) + item(shift, k)
                        error[count] = item(gs, i)
                        count += 1
                if count == 0:
                    continue
                to = (chunk * channels + c) * vectors * LANES
                for v in range(0, vectors, step):
                    many = min(step, vectors - v)
                    add_products(sums, to, side_by_side, error, xs, start, offset, 0, count, v, many)


@called
def summed_up(channels, parts, gw, weight):
    for c in channels:
        for chunk in range(1, CHUNKS):
            add_row(parts[0, c], parts[chunk, c])
        for i in range(len(weight)):
            gw[c, i] = parts[0, c, weight[i]]


@jit
def grad_input(w, g, winner, gx, begin, shift, offset, weight):
    """gx (batch, number of the padded input) from w (out channel, number of a window)."""
    spread = np.zeros((len(w), len(offset) * LANES), w.dtype)
    for c in range(len(w)):
        for i in range(len(weight)):
            spread[c, weight[i]] = w[c, i]
    in_parallel(errors_back, len(gx), (spread, g, winner, gx, begin, shift, offset))


@called
def errors_back(signals, spread, g, winner, gx, begin, shift, offset):
    outputs, channels = g.shape[1:]
    vectors, places, samples = len(offset), len(shift), gx.shape[1]
    ws, gs, winners, out = spread.reshape(-1), g.reshape(-1), winner.reshape(-1), gx.reshape(-1)
    side_by_side, step = np.arange(0, vectors * LANES, LANES), vectors_at_once(vectors)
    # For each place of the tile: the channels in the order of their winners, and where those of each winner end.
    start, error = np.empty(TILE * channels, np.int64), np.empty(TILE * channels, g.dtype)
    ends = np.empty((TILE, places + 1), np.int64)
    for b in signals:
        gx[b] = 0
        for tile in range(0, outputs, TILE):
            stop = min(outputs, tile + TILE)
            for o in range(tile, stop):
                i, end = (b * outputs + o) * channels, ends[o - tile]
                sort_by_winner(winners, gs, i, channels, (o - tile) * channels, vectors * LANES, start, error, end)
            for v in range(0, vectors, step):
                many = min(step, vectors - v)
                for o in range(tile, stop):
                    first = (o - tile) * channels
                    for k in range(places):
                        end = ends[o - tile, k]
                        if end > first:
                            to = b * samples + begin[o] + shift[k]
                            add_products(out, to, offset, error, ws, start, side_by_side, first, end, v, many)
                        first = end


@inlined
def sort_by_winner(winners, gs, i, channels, first, length, start, error, end):
    """Sort the channels' gradients from index i on, and where each channel's weights begin, by winner.

    The results start at index ``first``; those without a winner are last. ``end`` (place,) is where each place's end.
    """
    last = len(end) - 1
    end[:] = 0
    for c in range(channels):
        end[min(item(winners, i + c), last)] += 1
    below = first
    for k in range(last + 1):
        below += end[k]
        end[k] = below - end[k]
    for c in range(channels):
        k = min(item(winners, i + c), last)
        place = item(end, k)
        start[place], error[place] = c * length, item(gs, i + c)
        end[k] = place + 1
