"""Compiled loops of depthwise convolution; see :mod:`.lines` for how signals are traversed.

For each place of the window, the windows of a line that see the input at that place are a range.
"""

import numpy as np

from sigconv.kernels.compiled.lines import (
    STRETCH,
    begin_of,
    block_start,
    blocks_of,
    end_of,
    first_sample,
    flat_index,
    places_seen,
)
from sigconv.kernels.compiled.parallel import in_parallel
from sigconv.kernels.compiled.runtime import called, inlined, jit
from sigconv.kernels.compiled.simd import LANES, load, multiply_add, store


@inlined
def summed(total, a, i, a_step, b, j, b_step, begin, end):
    """total + the sum of a b over the windows from ``begin`` to ``end``."""
    for o in range(begin, end):
        total = multiply_add(load(a, i + o * a_step), load(b, j + o * b_step), total)
    return total


@jit
def forward(x, w, bias, y, size, output_size, *window):
    """y from w (place, channel) and bias (channel)."""
    lines = y.shape[0] * y.shape[1] // output_size[-1]
    in_parallel(forward_lines, lines, (x, w, bias, y, size, output_size, *window))


@called
def forward_lines(tasks, x, w, bias, y, size, output_size, extent, stride, before, offset, distance):
    outputs, channels = y.shape[1:]
    last, width, samples = len(size) - 1, output_size[-1], x.shape[1]
    lines, step, end_size = outputs // width, stride[-1] * channels, size[-1]
    xs, ws, ys = x.reshape(-1), w.reshape(-1), y.reshape(-1)
    first, seen = np.empty(len(size), np.int64), np.empty(len(offset), np.int64)
    for task in tasks:
        b, line = task // lines, task % lines
        first_sample(line * width, output_size, stride, before, first)
        count, left = places_seen(first, distance, size, seen), first[last]
        begin = begin_of(left, stride[last])
        end = end_of(left + extent[last] - 1, stride[last], end_size, width)
        for block in range(blocks_of(channels)):
            c = block_start(block, channels)
            here = (b * samples + flat_index(first, size)) * channels + c
            there = (b * outputs + line * width) * channels + c
            shift = load(bias, c)
            o = 0
            while o < width:
                if begin <= o and o + 4 <= end:
                    a0, a1, a2, a3 = shift, shift, shift, shift
                    for n in range(count):
                        weight = load(ws, seen[n] * channels + c)
                        i = here + o * step + offset[seen[n]] * channels
                        a0 = multiply_add(load(xs, i), weight, a0)
                        a1 = multiply_add(load(xs, i + step), weight, a1)
                        a2 = multiply_add(load(xs, i + 2 * step), weight, a2)
                        a3 = multiply_add(load(xs, i + 3 * step), weight, a3)
                    store(ys, there + o * channels, a0)
                    store(ys, there + (o + 1) * channels, a1)
                    store(ys, there + (o + 2) * channels, a2)
                    store(ys, there + (o + 3) * channels, a3)
                    o += 4
                    continue
                total = shift
                for n in range(count):
                    sample = left + o * stride[last] + distance[last, seen[n]]
                    if sample >= 0 and sample < end_size:
                        value = load(xs, here + o * step + offset[seen[n]] * channels)
                        total = multiply_add(value, load(ws, seen[n] * channels + c), total)
                store(ys, there + o * channels, total)
                o += 1


@jit
def grad_weight(x, g, parts, size, output_size, *window):
    """parts (chunk, place, block, lane): the sums over each chunk of the lines."""
    in_parallel(weight_chunks, len(parts), (x, g, parts, size, output_size, *window))


@called
def weight_chunks(some, x, g, parts, size, output_size, extent, stride, before, offset, distance):
    batch, outputs, channels = g.shape
    last, width, samples = len(size) - 1, output_size[-1], x.shape[1]
    lines, step = outputs // width, stride[-1] * channels
    chunks, places, blocks, _ = parts.shape
    xs, gs = x.reshape(-1), g.reshape(-1)
    first, seen = np.empty(len(size), np.int64), np.empty(len(offset) + 3, np.int64)
    begins, ends = np.empty(places, np.int64), np.empty(places, np.int64)
    for k in range(places):
        sample = distance[last, k] - before[last]
        begins[k], ends[k] = begin_of(sample, stride[last]), end_of(sample, stride[last], size[last], width)
    for chunk in some:
        sums = parts[chunk].reshape(-1)
        sums[:] = 0
        for task in range(batch * lines * chunk // chunks, batch * lines * (chunk + 1) // chunks):
            b, line = task // lines, task % lines
            first_sample(line * width, output_size, stride, before, first)
            count = places_seen(first, distance, size, seen)
            if count == 0:
                continue
            seen[count : count + 3] = seen[count - 1]  # so that the last turn has four, too
            start = b * samples + flat_index(first, size)
            for stretch in range(0, width, STRETCH):
                stop = min(stretch + STRETCH, width)
                for block in range(blocks):
                    c = block_start(block, channels)
                    here, there = start * channels + c, (b * outputs + line * width) * channels + c
                    for n in range(0, count, 4):
                        k0, k1, k2, k3 = seen[n], seen[n + 1], seen[n + 2], seen[n + 3]
                        i0, i1 = here + offset[k0] * channels, here + offset[k1] * channels
                        i2, i3 = here + offset[k2] * channels, here + offset[k3] * channels
                        s0, s1 = (k0 * blocks + block) * LANES, (k1 * blocks + block) * LANES
                        s2, s3 = (k2 * blocks + block) * LANES, (k3 * blocks + block) * LANES
                        b0, b1, b2, b3 = begins[k0], begins[k1], begins[k2], begins[k3]
                        e0, e1, e2, e3 = ends[k0], ends[k1], ends[k2], ends[k3]
                        begin = max(stretch, b0, b1, b2, b3)
                        end = max(begin, min(stop, e0, e1, e2, e3))
                        a0, a1, a2, a3 = load(sums, s0), load(sums, s1), load(sums, s2), load(sums, s3)
                        for o in range(begin, end):
                            error = load(gs, there + o * channels)
                            a0 = multiply_add(load(xs, i0 + o * step), error, a0)
                            a1 = multiply_add(load(xs, i1 + o * step), error, a1)
                            a2 = multiply_add(load(xs, i2 + o * step), error, a2)
                            a3 = multiply_add(load(xs, i3 + o * step), error, a3)
                        a0 = summed(a0, xs, i0, step, gs, there, channels, max(stretch, b0), min(begin, e0, stop))
                        a0 = summed(a0, xs, i0, step, gs, there, channels, max(end, b0), min(stop, e0))
                        a1 = summed(a1, xs, i1, step, gs, there, channels, max(stretch, b1), min(begin, e1, stop))
                        a1 = summed(a1, xs, i1, step, gs, there, channels, max(end, b1), min(stop, e1))
                        a2 = summed(a2, xs, i2, step, gs, there, channels, max(stretch, b2), min(begin, e2, stop))
                        a2 = summed(a2, xs, i2, step, gs, there, channels, max(end, b2), min(stop, e2))
                        a3 = summed(a3, xs, i3, step, gs, there, channels, max(stretch, b3), min(begin, e3, stop))
                        a3 = summed(a3, xs, i3, step, gs, there, channels, max(end, b3), min(stop, e3))
                        store(sums, s3, a3)
                        store(sums, s2, a2)
                        store(sums, s1, a1)
                        store(sums, s0, a0)
