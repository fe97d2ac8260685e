"""Batches, and the order in which the examples of a split are in them."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from sigconv.errors import UsageError


class Batch(NamedTuple):
    """`signal` (B, *shape) in the corpus' dtype, `label`, `place` and `length` (B,) int64.

    `place` is the index in the split, and `length` the samples or frames of a signal before it is padded or cropped.
    For a corpus with texts, `label` is (B, L): the numbers of their tokens, padded with -1 to the split's longest text.
    """

    signal: Tensor
    label: Tensor
    place: Tensor
    length: Tensor


def derive_seed(*parts: int) -> int:
    """One 64-bit seed from several numbers, such as (seed, epoch); neighbouring numbers give unrelated streams."""
    return int(np.random.SeedSequence((len(parts), *parts)).generate_state(1, np.uint64)[0])


class BatchOrder:
    """The batches of one epoch, as tensors of indices, for one of `world` processes.

    With a `seed` the order is a permutation that depends on (seed, epoch) alone; without one it is the split's own.
    Over all processes together, every example occurs exactly once: batch sizes differ by at most one, instead of a
    short last batch, and no process repeats an example to even out the shares.
    """

    def __init__(
        self, examples: int, batch_size: int, *, seed: int | None = None, rank: int = 0, world: int = 1
    ) -> None:
        if examples < world:
            raise UsageError(
                f"a split needs an example for each process, and one has {examples} for {world}: choose fewer "
                "trainer.devices, or add examples."
            )
        if not 1 <= batch_size <= examples // world:
            raise UsageError(
                f"loader.batch_size={batch_size}: it is between 1 and the {examples // world} examples of a process."
            )
        self.examples, self.batch_size = examples, batch_size
        self.seed, self.rank, self.world = seed, rank, world
        self.epoch = 0

    @property
    def sampler(self) -> "BatchOrder":
        """Where Lightning looks for `set_epoch`."""
        return self

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        wanted = -(-self.examples // (self.world * self.batch_size))
        return min(wanted, self.examples // self.world)  # so that even the smallest share has an example for each batch

    def __iter__(self) -> Iterator[Tensor]:
        if self.seed is None:
            order = torch.arange(self.examples)
        else:
            generator = torch.Generator().manual_seed(derive_seed(self.seed, self.epoch))
            order = torch.randperm(self.examples, generator=generator)
        return iter(order[self.rank :: self.world].tensor_split(len(self)))


class MemoryLoader:
    """Batches from a split that is on the device as a whole: no workers, no transfers, no Python code per example."""

    def __init__(self, split: Batch, order: BatchOrder) -> None:
        self.split = split
        self.batch_sampler = order

    def __len__(self) -> int:
        return len(self.batch_sampler)

    def __iter__(self) -> Iterator[Batch]:
        for index in self.batch_sampler:
            index = index.to(self.split.signal.device, non_blocking=True)
            yield Batch(*(part[index] for part in self.split))
