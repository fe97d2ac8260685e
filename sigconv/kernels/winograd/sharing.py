"""How the work of the weight gradient is divided: tiles into spans, and within a span channels and maps into groups.

Each span has its own sums, so spans, which fix the order of summation, do not depend on the number of threads. Groups
change no sum, but each repeats the transforms of the tiles, so there are only as many as leave no thread idle.
"""

import functools
import math
from typing import NamedTuple

from sigconv.kernels.compiled.windows import LANES
from sigconv.kernels.winograd.tiling import Tiling, products_at_point

SPAN, SUMS = 256, 1 << 22
"""Fewest tiles of a span, and most bytes of the sums of all spans."""

BYTES = 4
"""Bytes of a number: float32."""


class Sharing(NamedTuple):
    """The number of spans of tiles, and of groups of channels and of maps."""

    spans: int
    of_channels: int
    of_maps: int

    @property
    def tasks(self) -> int:
        return self.spans * self.of_channels * self.of_maps


@functools.lru_cache(maxsize=256)
def share_out(found: Tiling, batch: int, channels: int, maps: int, threads: int) -> Sharing:
    """Tasks of about equal work for ``threads`` threads, or fewer."""
    spans = _spans(batch * found.tiles, math.prod(found.points) * channels * maps * BYTES)
    return Sharing(spans, *_groups(threads // math.gcd(threads, spans), channels, maps))


def loss(found: Tiling, batch: int, channels: int, maps: int, threads: int) -> float:
    """The ratio of the time of all threads together, idle time included, to that of one thread alone."""
    shared = share_out(found, batch, channels, maps, threads)
    of_task = products_at_point(channels / shared.of_channels, maps / shared.of_maps) / shared.spans
    return threads * math.ceil(shared.tasks / threads) * of_task / products_at_point(channels, maps)


def _spans(tiles: int, bytes_of_sums: int) -> int:
    """A power of two, so that as many threads, or half as many, get equal shares."""
    return 1 << max(0, min(tiles // SPAN, SUMS // bytes_of_sums).bit_length() - 1)


def _groups(most: int, channels: int, maps: int) -> tuple[int, int]:
    """The fastest numbers of groups of channels and of maps: at most ``most`` in all, each of LANES or more."""
    choices = [(a, min(most // a, maps // LANES)) for a in range(1, min(most, channels // LANES) + 1)]
    return min(choices, key=lambda groups: products_at_point(channels / groups[0], maps / groups[1]))


def share(size: int, group: int, groups: int) -> tuple[int, int]:
    """The first channel, or map, of a group, a multiple of LANES, and how many it has."""
    begin, end = size // LANES * group // groups * LANES, size // LANES * (group + 1) // groups * LANES
    return begin, (size if group == groups - 1 else end) - begin


def largest(size: int, groups: int) -> int:
    """The most channels, or maps, that a group has."""
    return max(share(size, group, groups)[1] for group in range(groups))
