"""Compiled loops of max pooling; see :mod:`.lines` for how signals are traversed."""

import numpy as np

from sigconv.kernels.compiled.lines import block_start, blocks_of, first_sample, flat_index, places_seen
from sigconv.kernels.compiled.parallel import in_parallel
from sigconv.kernels.compiled.runtime import called, contracted, inlined, jit
from sigconv.kernels.compiled.simd import (
    LANES,
    add,
    at_most,
    equal,
    load,
    load_places,
    multiply,
    multiply_add,
    place,
    store,
    store_places,
    where,
    wins,
    zero,
)
from sigconv.kernels.compiled.windows import CHUNKS
from sigconv.kernels.problem import NO_WINNER

SLABS = 8
"""Parts of a signal that are routed to in parallel, where windows do not overlap along the first axis."""


@jit
def max_pool(x, factors, y, winner, size, output_size, *window):
    """Set y to the maximum of x in each window, and ``winner`` to its place there.

    With factors (scale and shift, each (channel)) y is the maximum of relu(scale x + shift), and ``winner`` is
    NO_WINNER where that is zero.
    """
    lines = y.shape[0] * y.shape[1] // output_size[-1]
    in_parallel(pooled_lines, lines, (x, factors, y, winner, size, output_size, *window))


@called
def pooled_lines(tasks, x, factors, y, winner, size, output_size, extent, stride, before, offset, distance):
    outputs, channels = y.shape[1:]
    last, width, samples = len(size) - 1, output_size[-1], x.shape[1]
    lines = outputs // width
    xs, ys, winners = x.reshape(-1), y.reshape(-1), winner.reshape(-1)
    nobody = place(NO_WINNER)
    first, seen = np.empty(len(size), np.int64), np.empty(len(offset), np.int64)
    for task in tasks:
        b, line = task // lines, task % lines
        first_sample(line * width, output_size, stride, before, first)
        count, left = places_seen(first, distance, size, seen), first[last]
        start = b * samples + flat_index(first, size)
        for o in range(width):
            here, there = start + o * stride[last], (b * outputs + line * width + o) * channels
            sample = left + o * stride[last]
            inside = sample >= 0 and sample + extent[last] <= size[last]
            begin = 0
            while not inside and not sees(sample + distance[last, seen[begin]], size[last]):
                begin += 1
            for block in range(blocks_of(channels)):
                c = block_start(block, channels)
                best = scaled(load(xs, (here + offset[seen[begin]]) * channels + c), factors, c)
                who = place(seen[begin])
                for n in range(begin + 1, count):
                    k = seen[n]
                    if inside or sees(sample + distance[last, k], size[last]):
                        value = scaled(load(xs, (here + offset[k]) * channels + c), factors, c)
                        better = wins(value, best)
                        best, who = where(better, value, best), where(better, place(k), who)
                if factors is not None:
                    dead = at_most(best, zero(best))
                    best, who = where(dead, zero(best), best), where(dead, nobody, who)
                store(ys, there + c, best)
                store_places(winners, there + c, who)


@inlined
def sees(sample, size):
    return sample >= 0 and sample < size


@inlined
def scaled(value, factors, c):
    return value if factors is None else multiply_add(value, load(factors[0], c), load(factors[1], c))


@jit
def route(g, winner, base, gx, size, output_size, extent, stride, *window):
    """Set gx to the gradient g of each window at its winner, and to zero elsewhere.

    With a base (x, slope, level and scale, the last three (channel)) it is slope x + level, plus scale g at the
    winners. Each sample's sum is taken in the order of the windows. Where these tile the whole input, each sample is
    written once.
    """
    alone = len(size) == 1 or extent[0] > stride[0]  # windows overlap along the first axis, or it is the last
    slabs = 1 if alone else min(SLABS, output_size[0])
    given = (slabs, g, winner, base, gx, size, output_size, extent, stride, *window)
    in_parallel(routed_slabs, len(gx) * slabs, given)


@called
def routed_slabs(tasks, slabs, g, winner, base, gx, size, output_size, extent, stride, before, offset, distance):
    samples, channels = gx.shape[1:]
    last, width, outputs = len(size) - 1, output_size[-1], g.shape[1]
    lines, blocks, plane = outputs // width, blocks_of(channels), samples // size[0]
    rows = 1 if slabs == 1 else output_size[0]
    gs, winners, out = g.reshape(-1), winner.reshape(-1), gx.reshape(-1)
    once = are_tiles(size, output_size, extent, stride, before, len(offset))
    nobody, had = place(NO_WINNER), np.zeros(LANES, np.int32)
    if not once:
        had[: blocks * LANES - channels] = 1  # lanes that the last block shares with the one before
    first, seen, again = np.empty(len(size), np.int64), np.empty(len(offset), np.int64), load(had, 0)
    for task in tasks:
        b, slab = task // slabs, task % slabs
        begin, end = rows * slab // slabs, rows * (slab + 1) // slabs
        fill_from = 0 if slab == 0 else min(size[0], max(0, begin * stride[0] - before[0]))
        fill_to = size[0] if slab == slabs - 1 else min(size[0], max(0, end * stride[0] - before[0]))
        if not once:
            for p in range((b * size[0] + fill_from) * plane, (b * size[0] + fill_to) * plane):
                fill(base, out, p * channels, channels)
        for line in range(begin * (lines // rows), end * (lines // rows)):
            first_sample(line * width, output_size, stride, before, first)
            count, left = places_seen(first, distance, size, seen), first[last]
            start = b * samples + flat_index(first, size)
            for o in range(width):
                here, there = start + o * stride[last], (b * outputs + line * width + o) * channels
                sample = left + o * stride[last]
                inside = sample >= 0 and sample + extent[last] <= size[last]
                for block in range(blocks):
                    c = block_start(block, channels)
                    error, who = load(gs, there + c), load_places(winners, there + c)
                    if base is not None:
                        error = multiply(error, load(base[3], c))
                    if block == blocks - 1:
                        who = where(equal(again, place(1)), nobody, who)
                    if once:  # not asked within the loop, where it would slow down overlapping windows by some per cent
                        for n in range(count):
                            k = seen[n]
                            if inside or sees(sample + distance[last, k], size[last]):
                                i = (here + offset[k]) * channels + c
                                store(out, i, add(without_error(base, i, c, error), won_by(who, k, error)))
                    else:
                        for n in range(count):
                            k = seen[n]
                            if inside or sees(sample + distance[last, k], size[last]):
                                i = (here + offset[k]) * channels + c
                                store(out, i, add(load(out, i), won_by(who, k, error)))


@inlined
def won_by(who, k, error):
    return where(equal(who, place(k)), error, zero(error))


@inlined
def are_tiles(size, output_size, extent, stride, before, places):
    """Whether each sample is in exactly one window."""
    once = extent.prod() == places  # there are no gaps
    for axis in range(len(size)):
        covered = output_size[axis] * stride[axis] >= size[axis]
        once &= before[axis] == 0 and extent[axis] == stride[axis] and covered
    return once


@inlined
def fill(base, out, i, channels):
    for block in range(blocks_of(channels)):
        c = block_start(block, channels)
        store(out, i + c, without_error(base, i + c, c, load(out, i + c)))


@inlined
def without_error(base, i, c, like):
    """The gradient of samples that win nowhere."""
    if base is None:
        return zero(like)
    x, slope, level, _ = base
    return multiply_add(load(x, i), load(slope, c), load(level, c))


@jit
def error_sums(g, winner, x, alive, products, *window):
    """For each channel, the sums of g where there is a winner and of g times the winner; the latter are 0 without x."""
    channels = g.shape[2]
    sums = np.empty((2, CHUNKS, blocks_of(channels) * LANES), g.dtype)
    in_parallel(error_chunks, CHUNKS, (g, winner, x, sums, *window))
    alive[:], products[:] = 0, 0
    for c in range(channels):
        block = c // LANES
        lane = block * LANES + c - block_start(block, channels)
        for chunk in range(CHUNKS):
            alive[c] += sums[0, chunk, lane]
            products[c] += sums[1, chunk, lane]


@contracted
def error_chunks(some, g, winner, x, sums, size, output_size, extent, stride, before, offset, distance):
    batch, outputs, channels = g.shape
    last, width = len(size) - 1, output_size[-1]
    lines, blocks = outputs // width, blocks_of(channels)
    gs, winners, nobody = g.reshape(-1), winner.reshape(-1), place(NO_WINNER)
    first, seen = np.empty(len(size), np.int64), np.empty(len(offset), np.int64)
    for chunk in some:
        errors, errors_times_won = sums[0, chunk], sums[1, chunk]
        errors[:], errors_times_won[:] = 0, 0
        for task in range(batch * lines * chunk // CHUNKS, batch * lines * (chunk + 1) // CHUNKS):
            b, line = task // lines, task % lines
            first_sample(line * width, output_size, stride, before, first)
            count, left = places_seen(first, distance, size, seen), first[last]
            for block in range(blocks):
                c = block_start(block, channels)
                error_sum, product_sum = load(errors, block * LANES), load(errors_times_won, block * LANES)
                for o in range(width):
                    there = (b * outputs + line * width + o) * channels + c
                    error, who = load(gs, there), load_places(winners, there)
                    error = where(equal(who, nobody), zero(error), error)
                    error_sum = add(error_sum, error)
                    if x is None:
                        continue
                    xs, won = x.reshape(-1), zero(error)
                    here = b * x.shape[1] + flat_index(first, size) + o * stride[last]
                    for n in range(count):
                        k = seen[n]
                        if sees(left + o * stride[last] + distance[last, k], size[last]):
                            value = load(xs, (here + offset[k]) * channels + c)
                            won = where(equal(who, place(k)), value, won)
                    product_sum = multiply_add(error, won, product_sum)
                store(errors, block * LANES, error_sum)
                store(errors_times_won, block * LANES, product_sum)
