"""Compiled loops of convolution by tiles. Signals are rows, (batch, place, channel).

Tiles are processed a block at a time, so that their values at all points stay in cache: at each point they are a matrix
(tile, channel), whose product with that point's weights is another, (tile, map). The number of maps is rounded up to a
multiple of LANES.
"""

import numpy as np

from sigconv.kernels.compiled.lines import add_row
from sigconv.kernels.compiled.panels import multiply
from sigconv.kernels.compiled.parallel import in_parallel
from sigconv.kernels.compiled.runtime import called, inlined, jit
from sigconv.kernels.compiled.simd import LANES, add, item, load, store
from sigconv.kernels.winograd import sharing
from sigconv.kernels.winograd.combine import combine


@jit
def forward(x, w, bias, y, tiles, u, v, m, of_part):
    """y from x and w (place, channel, map).

    The workspace is u (point, channel, map) for the weights at all points and, for each of the parts that run in
    parallel, v and m (part, tile, numbers of all points) for a block of tiles and ``of_part`` for intermediate results.
    """
    in_parallel(weights_at_points, len(v), (w, tiles, u, of_part))
    in_parallel(parts_of_tiles, len(v), (x, bias, y, tiles, u, v, m, of_part))


@called
def weights_at_points(some, w, tiles, u, of_part):
    (values, channels, wide), parts = u.shape, len(of_part)
    us, ws, counting = u.reshape(-1), w.reshape(-1), np.arange(values)
    none = np.int64(0)  # a literal in a tuple would compile everything again
    for part in some:
        room = of_part[part], us, counting
        for c in range(channels * part // parts, channels * (part + 1) // parts):
            source, to = (ws, c * wide, channels * wide, counting, none), (us, c * wide, channels * wide)
            transform(tiles.of_weight, tiles.kernel, tiles.points, source, to, wide, room)


@called
def parts_of_tiles(some, x, bias, y, tiles, u, v, m, of_part):
    (batch, samples, channels), (places, maps), (values, _, wide) = x.shape, y.shape[1:], u.shape
    parts, block, v_row = v.shape
    total, each, m_row, counting = batch * tiles.per_signal, tiles.outputs.prod(), m.shape[2], np.arange(values)
    xs, us, ys, none = x.reshape(-1), u.reshape(-1), y.reshape(-1), np.int64(0)
    zeros, tile_of_y = np.zeros(channels, x.dtype), np.empty(each * wide, x.dtype)
    for part in some:
        vs, ms, room = v[part].reshape(-1), m[part].reshape(-1), (of_part[part], zeros, counting)
        end = total * (part + 1) // parts
        for start in range(total * part // parts, end, block):
            count = min(block, end - start)
            for t in range(count):
                b, tile = (start + t) // tiles.per_signal, (start + t) % tiles.per_signal
                source = xs, b * samples * channels, channels, tiles.seen, tile * values
                transform(tiles.of_input, tiles.points, tiles.points, source, (vs, t * v_row, channels), channels, room)
            for n in range(values):
                left, right = (vs, n * channels, v_row, 1), (us, n * channels * wide, wide)
                multiply((ms, n * wide, m_row), left, right, count, channels, wide // LANES, False)
            for t in range(count):
                b, tile = (start + t) // tiles.per_signal, (start + t) % tiles.per_signal
                source = ms, t * m_row, wide, counting, none
                transform(tiles.of_output, tiles.points, tiles.outputs, source, (tile_of_y, none, wide), wide, room)
                put(tile_of_y, bias, tiles.given, tile * each, ys, b * places * maps, wide)


@called
def put(tile_of_y, bias, given, first, ys, begin, wide):
    """Store a tile's outputs (output, map), plus the bias, at the places in ``given`` from index ``first`` on."""
    maps = len(bias)
    for n in range(len(tile_of_y) // wide):
        place = item(given, first + n)
        if place >= 0:
            for k in range(0, maps, LANES):
                c = min(k, maps - LANES)
                store(ys, begin + place * maps + c, add(load(tile_of_y, n * wide + c), load(bias, c)))


share = inlined(sharing.share)


@jit
def grad_weight(x, g, gw, tiles, block, shared, gu, v, e, of_part):
    """gw (place, channel, map) from x and the output's gradient g.

    A task is a span of tiles and a group of channels and of maps; ``shared`` has their numbers. The workspace is gu
    (span, point, channel, map) for each span's sums at all points and, for each of the parts that run in parallel, v
    and e (part, point, numbers of all tiles) for a block of tiles and ``of_part`` for intermediate results.
    """
    in_parallel(sums_of_parts, len(v), (x, g, tiles, block, shared, gu, v, e, of_part))
    in_parallel(sums_to_weights, len(v), (gw, tiles, gu, of_part))


@called
def sums_of_parts(some, x, g, tiles, block, shared, gu, v, e, of_part):
    (batch, samples, channels), (places, maps), (values, _, wide) = x.shape, g.shape[1:], gu.shape[1:]
    total, each, counting = batch * tiles.per_signal, tiles.outputs.prod(), np.arange(values)
    (parts, _, v_step), e_step, (spans, of_channels, of_maps) = v.shape, e.shape[2], shared
    groups = of_channels * of_maps
    xs, gs, gus, zeros = x.reshape(-1), g.reshape(-1), gu.reshape(-1), np.zeros(max(channels, maps), x.dtype)
    for part in some:
        vs, es, room = v[part].reshape(-1), e[part].reshape(-1), (of_part[part], zeros, counting)
        for task in range(spans * groups * part // parts, spans * groups * (part + 1) // parts):
            span, group = task // groups, task % groups
            begin, end = total * span // spans, total * (span + 1) // spans
            c, own = share(channels, group // of_maps, of_channels)
            k, own_maps = share(maps, group % of_maps, of_maps)
            vectors = (own_maps + LANES - 1) // LANES
            for start in range(begin, end, block):
                count = min(block, end - start)
                for t in range(count):
                    b, tile = (start + t) // tiles.per_signal, (start + t) % tiles.per_signal
                    source = xs, b * samples * channels + c, channels, tiles.seen, tile * values
                    transform(tiles.of_input, tiles.points, tiles.points, source, (vs, t * own, v_step), own, room)
                    source, to = (gs, b * places * maps + k, maps, tiles.given, tile * each), (es, t * own_maps, e_step)
                    transform(tiles.of_error, tiles.outputs, tiles.points, source, to, own_maps, room)
                for n in range(values):
                    to = gus, ((span * values + n) * channels + c) * wide + k, wide
                    left, right = (vs, n * v_step, 1, own), (es, n * e_step, own_maps)
                    multiply(to, left, right, own, count, vectors, start > begin)


@called
def sums_to_weights(some, gw, tiles, gu, of_part):
    (spans, values, channels, wide), parts = gu.shape, len(of_part)
    gus, gws, counting, none = gu.reshape(-1), gw.reshape(-1), np.arange(values), np.int64(0)
    zeros = np.zeros(wide, gw.dtype)
    for part in some:
        room = of_part[part], zeros, counting
        for c in range(channels * part // parts, channels * (part + 1) // parts):
            for span in range(1, spans):
                for n in range(values):
                    add_row(gu[0, n, c], gu[span, n, c])
            source, to = (gus, c * wide, channels * wide, counting, none), (gws, c * wide, channels * wide)
            transform(tiles.of_sum, tiles.points, tiles.kernel, source, to, wide, room)


@called
def transform(kinds, before, after, source, to, channels, room):
    """Transform a tile along each axis, from the last to the first, from ``before`` rows to ``after``.

    Args:
        kinds: the transform along each axis.
        source: an array, where rows begin in it, the distance between them, and an array with the rows' numbers, from
            an index on, in row-major order; a number less than 0 stands for zeros.
        to: an array, where to begin in it, and the distance between its rows.
        channels: numbers in a row.
        room: two buffers for intermediate results (2, numbers), a row of zeros, and the whole numbers from 0 on.
    """
    seen, begin, length, row, first = source
    scratch, zeros, counting = room
    left, done = before.prod(), 1
    for axis in range(len(kinds) - 1, -1, -1):
        n, m = before[axis], after[axis]
        left //= n
        out, out_begin, step = scratch[axis % 2], 0, channels
        if axis == 0:
            out, out_begin, step = to
        together = done if step == channels else 1
        for i in range(left):
            for j in range(0, done, together):
                target = out, out_begin + (i * m * done + j) * step, done * step
                rows = seen, begin + j * channels, length, row, first + i * n
                combine(kinds[axis], target, rows, together * channels, zeros)
        done *= m
        seen, begin, length, row, first = out, 0, done * channels, counting, 0
