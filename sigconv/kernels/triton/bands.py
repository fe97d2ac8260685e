"""Signals in bands: equal parts of their first spatial axis. Each band of each channel is a feature.

Sums over a feature are taken in chunks: with n of them, a program sums every n-th block of (channels, places).
"""

from typing import Any, NamedTuple

import triton
import triton.language as tl
from torch import Tensor

from sigconv.kernels.triton.chunks import chunks_for, power_of_2
from sigconv.kernels.triton.strided import Strided, address, strided
from sigconv.kernels.triton.tuning import Grid

BLOCK = 4096
"""Numbers of a block."""
WIDE = 128
"""Most of them along the channels, where these are innermost."""


class Bands(NamedTuple):
    """A signal of ``batch`` items, whose ``places`` are those of a band, and the size of its blocks."""

    signal: Strided
    batch: int
    channel_block: int
    place_block: int

    @property
    def units(self) -> int:
        """Blocks of one band and one block of channels."""
        return self.batch * triton.cdiv(self.signal.places, self.place_block)

    @property
    def channel_blocks(self) -> int:
        return triton.cdiv(self.signal.channels, self.channel_block)

    @property
    def form(self) -> dict[str, Any]:
        """What a kernel must know of a block."""
        return {"channels": self.channel_block, "places": self.place_block}

    def in_chunks(self, bands: int) -> Grid:
        return chunks_for(self.units, self.channel_blocks * bands), self.channel_blocks, bands

    def in_blocks(self, bands: int) -> Grid:
        return self.units, self.channel_blocks, bands


def in_bands(x: Tensor, bands: int, *, one: bool = True) -> Bands:
    """x (batch, channel, \\*size); with one band and channels innermost, its items count as ``one`` long one."""
    signal, batch = strided(x), x.shape[0]
    places = signal.places // bands
    if signal.channel == 1 and bands == 1 and one:
        batch, places = 1, batch * places
    channel_block = power_of_2(signal.channels, most=WIDE) if signal.channel == 1 else 1
    return Bands(signal._replace(places=places), batch, channel_block, power_of_2(places, most=BLOCK // channel_block))


@triton.jit
def block_of(signal, unit, channel_block: tl.constexpr, place_block: tl.constexpr):
    """Item, channels (n, 1), places (1, m) within the whole item and which exist, of this program's band."""
    blocks = tl.cdiv(signal.places, place_block)
    channel = tl.program_id(1) * channel_block + tl.arange(0, channel_block)[:, None]
    place = tl.cast(unit % blocks, tl.int64) * place_block + tl.arange(0, place_block)[None, :]
    exists = (channel < signal.channels) & (place < signal.places)
    return unit // blocks, channel, tl.cast(tl.program_id(2), tl.int64) * signal.places + place, exists


@triton.jit
def count_of(signal, unit, place_block: tl.constexpr):
    """How many places of a block exist."""
    left = signal.places - tl.cast(unit % tl.cdiv(signal.places, place_block), tl.int64) * place_block
    return tl.minimum(left, place_block).to(tl.float32)


@triton.jit
def read(signal, block):
    """A block's numbers in float32, 0 where there are none."""
    return tl.load(address(signal, block[0], block[1], block[2]), block[3], other=0.0).to(tl.float32)


@triton.jit
def feature_of(channel):
    """The index of a channel's feature in this program's band: features are counted channel by channel."""
    return channel * tl.num_programs(2) + tl.program_id(2)
