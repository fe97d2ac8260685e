"""How the weights' gradient is shared out: tiles in spans, and within a span channels and maps in groups.

Each span has sums of its own, so spans, which order these, do not depend on the number of threads. Groups change no
sum; but each takes the tiles to points anew, so that there are only as many as leave no thread idle.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

from sigconv.kernels.numba.windows import LANES
from sigconv.kernels.winograd.tiling import Tiling, products_at_point

SPAN, SUMS = 256, 1 << 22
"""Least tiles that have sums of their own, and most bytes of all sums."""

BYTES = 4
"""Of a number: float32."""


class Sharing(NamedTuple):
    """Into how many spans tiles are cut, and into how many groups channels and maps."""

    spans: int
    of_channels: int
    of_maps: int

    @property
    def tasks(self) -> int:
        return self.spans * self.of_channels * self.of_maps


@functools.lru_cache(maxsize=256)
def share_out(found: Tiling, batch: int, channels: int, maps: int, threads: int) -> Sharing:
    """Tasks for so many threads, or fewer, of as much work each."""
    spans = _spans(batch * found.tiles, math.prod(found.points) * channels * maps * BYTES)
    return Sharing(spans, *_groups(threads // math.gcd(threads, spans), channels, maps))


def loss(found: Tiling, batch: int, channels: int, maps: int, threads: int) -> float:
    """How many times as long as on one thread each product takes, threads taken together."""
    shared = share_out(found, batch, channels, maps, threads)
    of_task = products_at_point(channels / shared.of_channels, maps / shared.of_maps) / shared.spans
    return threads * math.ceil(shared.tasks / threads) * of_task / products_at_point(channels, maps)


def _spans(tiles: int, bytes_of_sums: int) -> int:
    """A power of two, of which as many threads, or half as many, take equal shares."""
    return 1 << max(0, min(tiles // SPAN, SUMS // bytes_of_sums).bit_length() - 1)


def _groups(most: int, channels: int, maps: int) -> tuple[int, int]:
    """At most so many, of LANES channels and maps at least, those that take the least time."""
    choices = [(a, min(most // a, maps // LANES)) for a in range(1, min(most, channels // LANES) + 1)]
    return min(choices, key=lambda groups: products_at_point(channels / groups[0], maps / groups[1]))


def share(size: int, group: int, groups: int) -> tuple[int, int]:
    """Where a group of channels, or maps, begins, a multiple of LANES, and how many it has."""
    begin, end = size // LANES * group // groups * LANES, size // LANES * (group + 1) // groups * LANES
    return begin, (size if group == groups - 1 else end) - begin


def largest(size: int, groups: int) -> int:
    """The most channels, or maps, that a group has."""
    return max(share(size, group, groups)[1] for group in range(groups))
