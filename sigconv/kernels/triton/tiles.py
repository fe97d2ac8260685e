"""Kernels that compute each number of a signal independently: the signal's tiles, one for each program.

A tile is (channels, places) of one item of the batch. Its ``lanes`` lie along what is innermost in memory, so that
neighbouring threads read neighbouring numbers, and its ``rows`` along the other; but along few channels they would
idle.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any

import triton
import triton.language as tl
from torch import Tensor

from sigconv.kernels.triton.tuning import Grid, Kernel
from sigconv.kernels.triton.windows import unravel
from sigconv.layout import is_channels_last

FORMS = {True: ((32, 32, 4), (64, 32, 4)), False: ((128, 8, 8), (512, 1, 4))}
"""Lanes, rows and warps of tiles with lanes along channels, and along places: the fastest of many on an H200."""


def tiled(kernel: Callable[..., Any]) -> Callable[..., None]:
    """A kernel whose tile's form is tuned for each window, layout and :func:`extent`."""

    def of_layout(forms: Iterable[tuple[int, int, int]]) -> Kernel:
        configs = [triton.Config({"lanes": lanes, "rows": rows}, num_warps=warps) for lanes, rows, warps in forms]
        return Kernel(kernel, configs, ["frame", "extent"])

    kernels = {by_channel: of_layout(forms) for by_channel, forms in FORMS.items()}

    def start(*arguments: Any, by_channel: bool, **options: Any) -> None:
        kernels[by_channel](*arguments, by_channel=by_channel, **options)

    return start


def along_channels(signal: Tensor) -> bool:
    """Whether lanes lie along channels: these are innermost, and fill at least half of the fewest lanes."""
    return is_channels_last(signal) and signal.shape[1] >= 16


def extent(signal: Tensor) -> tuple[int, ...]:
    """What the best form of a tile depends on, coarse enough not to tune again for each of many similar sizes."""
    return signal.shape[1], signal.numel().bit_length(), signal.element_size(), int(is_channels_last(signal))


TUNED = 1 << 20
"""Elements below which all forms of a tile take about as long."""


def is_large(signal: Tensor) -> bool:
    """Whether it is worth looking for the best form of a tile."""
    return signal.numel() >= TUNED


def grid(signal: Tensor) -> Callable[[dict[str, Any]], Grid]:
    """The grid with a program for each tile of ``signal``, given the kernel's arguments."""
    places = math.prod(signal.shape[2:])

    def programs(meta: dict[str, Any]) -> Grid:
        lanes, rows, by_channel = meta["lanes"], meta["rows"], meta["by_channel"]
        channel_block, place_block = (lanes, rows) if by_channel else (rows, lanes)
        blocks = triton.cdiv(signal.shape[1], channel_block) * triton.cdiv(places, place_block)
        return signal.shape[0] * blocks, 1, 1

    return programs


@triton.jit
def tile(signal, size, by_channel: tl.constexpr, lanes: tl.constexpr, rows: tl.constexpr):
    """This program's item of the batch, its channels (n, 1), its places (1, m) along each axis, and which exist (n, m).

    That places in a row lie side by side is hidden from the compiler, on purpose: it would give each thread eight of
    them, and then what neighbouring threads read of a window's other samples would lie far apart.
    """
    channel_block: tl.constexpr = lanes if by_channel else rows
    place_block: tl.constexpr = rows if by_channel else lanes
    channel_blocks = tl.cdiv(signal.channels, channel_block)
    place_blocks = tl.cdiv(signal.places, place_block)
    program = tl.program_id(0)
    rest = program // channel_blocks
    channel = (program % channel_blocks) * channel_block + tl.arange(0, channel_block)[:, None]
    place = (rest % place_blocks) * place_block + tl.arange(0, place_block)[None, :]
    place = tl.max_contiguous(place, [1, 1])
    exists = (channel < signal.channels) & (place < signal.places)
    return rest // place_blocks, channel, unravel(place, size), exists
