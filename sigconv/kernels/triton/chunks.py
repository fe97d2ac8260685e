"""Sums over whole batches, in two stages: programs sum up chunks, whose number the shapes alone decide, then one sum
over these. No atomics, so the same operands give the same bits."""

from __future__ import annotations

PROGRAMS = 1024
"""Enough for every GPU: the largest have about 150 multiprocessors."""


def chunks_for(units: int, blocks: int) -> int:
    """In how many chunks to sum up ``units`` pieces of work, where each is done for ``blocks`` blocks of weights."""
    return min(units, max(1, PROGRAMS // blocks))


def power_of_2(number: int, least: int = 1, most: int = 1 << 30) -> int:
    """The smallest power of two that holds ``number``, within these limits (powers of two, too)."""
    return min(most, max(least, 1 << (number - 1).bit_length()))
