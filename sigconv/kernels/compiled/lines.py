"""What compiled loops over windows share. Signals are rows, (batch, place, channel), flattened.

A line is the windows along the last axis. Channels are taken LANES at a time, in blocks; the last block overlaps the
one before where their number is not a multiple of LANES, so there must be at least LANES channels.
"""

from sigconv.kernels.compiled.runtime import inlined
from sigconv.kernels.compiled.windows import LANES
from sigconv.kernels.compiled.windows import blocks_of as blocks

STRETCH = 64
"""Windows of a line that are processed for one block of channels before the next: what they see stays in cache."""


blocks_of = inlined(blocks)


@inlined
def block_start(block, channels):
    return min(block * LANES, channels - LANES)


@inlined
def add_row(to, row):
    """Add ``row`` to ``to``: not by +=, which takes Numba seconds to compile, as the rows could have any shapes."""
    for i in range(len(to)):
        to[i] += row[i]


@inlined
def first_sample(place, output_size, stride, before, first):
    """Where the window of an output place begins, along each axis."""
    for axis in range(len(output_size) - 1, -1, -1):
        first[axis] = (place % output_size[axis]) * stride[axis] - before[axis]
        place //= output_size[axis]


@inlined
def flat_index(sample, size):
    index = 0
    for axis in range(len(size)):
        index = index * size[axis] + sample[axis]
    return index


@inlined
def places_seen(first, distance, size, seen):
    """Put the places of a window that are inside along all axes but the last into ``seen``; returns their number.

    They are the same for a whole line.
    """
    count = 0
    for k in range(distance.shape[1]):
        inside = True
        for axis in range(len(size) - 1):
            sample = first[axis] + distance[axis, k]
            inside &= (sample >= 0) and (sample < size[axis])
        if inside:
            seen[count] = k
            count += 1
    return count


@inlined
def begin_of(first, stride):
    """The first window of a line that sees the input, where window 0 sees sample ``first``."""
    return max(0, -(first // stride))


@inlined
def end_of(first, stride, size, width):
    """One past the last such window."""
    return max(0, min(width, (size - 1 - first) // stride + 1))
