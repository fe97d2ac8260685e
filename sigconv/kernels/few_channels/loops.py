"""The compiled loop over signals of few channels.

The windows of a line, those of successive outputs along the last axis, begin ``jump`` numbers apart in the padded
signal. So each number of a window forms a row with the numbers at the same place of the other windows, and the product
of these rows with the output's gradient, (output, map), is a line's part of the sums.
"""

from sigconv.kernels.compiled.lines import STRETCH, add_row
from sigconv.kernels.compiled.panels import multiply
from sigconv.kernels.compiled.parallel import in_parallel
from sigconv.kernels.compiled.runtime import called, jit
from sigconv.kernels.compiled.simd import LANES


@jit
def grad_weight(x, g, parts, gw, begin, offset, jump):
    """gw (map, number of a window) from the padded x (batch, place, channel) and the gradient g (batch, output, map).

    ``begin`` (line,) is where each line's first window begins, ``offset`` (number of a window,) the distance from there
    to each number. parts (chunk, number of a window, maps rounded up to LANES) has room for the sums of each chunk.
    """
    in_parallel(chunks_of_lines, len(parts), (x, g, parts, begin, offset, jump))
    in_parallel(summed_up, len(offset), (parts, gw))


@called
def chunks_of_lines(some, x, g, parts, begin, offset, jump):
    (batch, outputs, maps), (chunks, numbers, wide) = g.shape, parts.shape
    lines, samples, width = len(begin), x.shape[1] * x.shape[2], outputs // len(begin)
    vectors, stretches = maps // LANES, (width + STRETCH - 1) // STRETCH
    tasks, xs, gs, sums = batch * lines * stretches, x.reshape(-1), g.reshape(-1), parts.reshape(-1)
    for chunk in some:
        parts[chunk] = 0
        to = chunk * numbers * wide
        for task in range(tasks * chunk // chunks, tasks * (chunk + 1) // chunks):
            b, line, first = task // stretches // lines, task // stretches % lines, task % stretches * STRETCH
            count, here = min(STRETCH, width - first), b * samples + begin[line] + first * jump
            there = (b * outputs + line * width + first) * maps
            for last in range(1 + (maps % LANES > 0)):  # the second time a vector that overlaps the one before
                v, c, many = (vectors * LANES, maps - LANES, 1) if last else (0, 0, vectors)
                errors = gs, there + c, maps
                multiply((sums, to + v, wide), (xs, here, offset, jump), errors, numbers, count, many, True)


@called
def summed_up(numbers, parts, gw):
    maps, wide = len(gw), parts.shape[2]
    for n in numbers:
        for chunk in range(1, len(parts)):
            add_row(parts[0, n], parts[chunk, n])
        for c in range(maps):
            gw[c, n] = parts[0, n, c if c < maps // LANES * LANES else wide - maps + c]
