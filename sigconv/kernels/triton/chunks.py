"""Sums over whole batches, in two stages: programs sum up chunks, whose number depends on the shapes alone, and then
the chunks are added. There are no atomics, so the same operands give the same bits."""

import triton
import triton.language as tl
from torch import Tensor

from sigconv.kernels.triton.tuning import fixed

PROGRAMS = 1024
"""Enough for every GPU: the largest have about 150 multiprocessors."""


def chunks_for(units: int, blocks: int) -> int:
    """The number of chunks for ``units`` pieces of work, each of which is done for ``blocks`` blocks of weights."""
    return min(units, max(1, PROGRAMS // blocks))


def power_of_2(number: int, least: int = 1, most: int = 1 << 30) -> int:
    """The smallest power of two that holds ``number``, within these limits (powers of two, too)."""
    return min(most, max(least, 1 << (number - 1).bit_length()))


NUMBERS, CHUNKS = 32, 64
"""Numbers and chunks of a block, where the sums of chunks are added."""


def joined(found: Tensor, sums: Tensor) -> Tensor:
    """``sums``, of as many numbers as a chunk of ``found`` (chunk, ...), filled with the sums over all chunks."""
    number, forms = sums.numel(), {"number_block": NUMBERS, "chunk_block": CHUNKS}
    _join((triton.cdiv(number, NUMBERS), 1, 1), found, sums, found.shape[0], number, found[0].numel(), **forms)
    return sums


@fixed(warps=4)
def _join(found, sums, chunks, number, step, number_block: tl.constexpr, chunk_block: tl.constexpr):
    n = tl.program_id(0) * number_block + tl.arange(0, number_block)[None, :]
    total = tl.zeros((chunk_block, number_block), tl.float32)
    for start in range(0, chunks, chunk_block):
        chunk = start + tl.arange(0, chunk_block)[:, None]
        total += tl.load(found + chunk * step + n, (chunk < chunks) & (n < number), other=0.0)
    tl.store(sums + n, tl.sum(total, 0)[None, :], n < number)
