"""A corpus as batches on the training device."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Literal, NamedTuple

import torch
from lightning import LightningDataModule
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader, Dataset

from sigconv.corpus import Corpus, Split
from sigconv.ctc import Tokens
from sigconv.errors import UsageError
from sigconv.signals.length import cut, find_stretch
from sigconv.train.batches import Batch, BatchOrder, MemoryLoader
from sigconv.train.console import say

IN_MEMORY_BYTES = 2 << 30  # `in_memory: auto` loads a split of at most this size: 2 GiB

UNKNOWN = torch.iinfo(torch.int64).min


class Fit(NamedTuple):
    """Brings signals to a common length: of each, the stretch from `begin` of it and the length on."""

    length: int
    begin: Callable[[Tensor, int], int]

    def __call__(self, signal: Tensor) -> Tensor:
        return cut(signal, self.begin(signal, self.length), self.length)


def first_sample(signal: Tensor, length: int) -> int:
    assert signal.shape[1] <= length
    return 0


class DiskDataset(Dataset[Batch]):
    """Whole batches read from a memory-mapped split, for the workers of a DataLoader.

    Finding a word takes many times as long as reading it, so all workers remember where each begins.
    """

    def __init__(self, split: Split, labels: Tensor, fit: Fit | None) -> None:
        self.split, self.labels, self.lengths, self.fit = split, labels, lengths_of(split), fit
        self.begins = torch.full((len(split),), UNKNOWN).share_memory_()

    def __len__(self) -> int:
        return len(self.split)

    def __getitems__(self, index: Tensor) -> Batch:
        signals = torch.stack([self._signal(i) for i in index.tolist()])
        return Batch(signals, self.labels[index], index, self.lengths[index])

    def _signal(self, place: int) -> Tensor:
        signal = self.split[place]
        if self.fit is None:
            return signal
        if self.begins[place] == UNKNOWN:
            self.begins[place] = self.fit.begin(signal, self.fit.length)
        return cut(signal, int(self.begins[place]), self.fit.length)


def stack(split: Split, index: Tensor, fit: Fit | None) -> Tensor:
    """(B, *shape): the signals of the split at `index`, each brought to the common length by `fit`."""
    signals = [split[i] for i in index.tolist()]
    return torch.stack([fit(signal) for signal in signals] if fit else signals)


def lengths_of(split: Split) -> Tensor:
    """(N,) int64: the samples or frames of each signal."""
    return split.shapes[:, 1].contiguous()


def encode_texts(split: Split, tokens: Tokens) -> Tensor:
    """(N, L) int64: the tokens of the split's texts, padded with -1. Raises UsageError for unknown tokens."""
    rows = []
    for source, text in zip(split.sources, split.texts, strict=True):
        try:
            rows.append(torch.tensor(tokens.encode(text), dtype=torch.int64))
        except UsageError as error:
            # No other data.split: corpora with that choice have a grammar, and so no unknown words.
            cure = "Take tokens=characters" if tokens.by == "words" else "Write the text in those"
            raise UsageError(
                f"{source}, in the {split.name} split: {error} from training. {cure}, or divide the clips otherwise "
                "among folders train, validation and test, so that training has it, too."
            ) from None
    return pad_sequence(rows, batch_first=True, padding_value=-1)


class CorpusData(LightningDataModule):
    """The splits "train", "validation" and "test" of a corpus.

    Args:
        corpus: with these splits.
        batch_size: examples per step, in each process.
        least_steps: minimum number of steps in a training epoch; for a small training split, batches are made smaller.
        seed: of the order of the training examples.
        length: samples or frames to which each signal is padded or cropped; None if all have one shape. Signals with
            texts are padded at their end, so that times in them stay valid, and never cropped: none may be longer.
        tokens: that encode texts; None for a corpus with labels.
        in_memory: True loads each split once onto the training device and takes batches from it; False reads batches
            from disk as they are needed; "auto" loads a split of up to `IN_MEMORY_BYTES`. The batches are the same.
        workers: processes that read from disk; 0 reads in the training process.
    """

    def __init__(
        self,
        corpus: Corpus,
        *,
        batch_size: int,
        seed: int,
        least_steps: int = 1,
        length: int | None = None,
        tokens: Tokens | None = None,
        in_memory: bool | Literal["auto"] = "auto",
        workers: int = 0,
    ) -> None:
        super().__init__()
        if least_steps < 1:
            raise UsageError(f"loader.least_steps={least_steps}: it is 1 or more")
        if workers < 0:
            raise UsageError(f"loader.workers={workers}: it is 0 or more")
        self.corpus, self.batch_size, self.seed, self.length = corpus, batch_size, seed, length
        self.least_steps = least_steps
        self.tokens, self.in_memory, self.workers = tokens, in_memory, workers
        self.loaders: dict[str, MemoryLoader | DataLoader] = {}

    @property
    def example(self) -> Tensor:
        """(*shape), the first signal of the training split as a batch has it."""
        return self.signal(self.corpus.split("train"), 0)

    def signal(self, split: Split, place: int) -> Tensor:
        """(*shape), one of the split's signals as a batch has it."""
        return stack(split, torch.tensor([place]), self._fit)[0]

    def all_signals(self, split: Split) -> Iterator[Tensor]:
        """The signals of a split in order, in batches (B, *shape)."""
        for index in torch.arange(len(split)).split(self.batch_size):
            yield stack(split, index, self._fit)

    def cut_short(self) -> int:
        """The number of signals, over all splits, that are cropped to `length`."""
        if self.length is None or self.tokens is not None:
            return 0
        return sum(int((lengths_of(split) > self.length).sum()) for split in map(self.corpus.split, self.corpus.splits))

    def labels(self, split: Split) -> Tensor:
        """The labels of all examples of a split, in the form that a `Batch` has."""
        return split.labels if self.tokens is None else encode_texts(split, self.tokens)

    def setup(self, stage: str) -> None:
        for split in ("train", "validation") if stage == "fit" else ("test",):
            if split not in self.loaders:
                self.loaders[split] = self._loader(self.corpus.split(split))

    def state_dict(self) -> dict[str, int]:
        assert self.trainer is not None
        return {"epoch": self.trainer.current_epoch + 1}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Lightning asks a DataLoader for its first batches before it says which epoch goes on."""
        self.loaders["train"].batch_sampler.set_epoch(state["epoch"])  # type: ignore[union-attr]

    def train_dataloader(self) -> "MemoryLoader | DataLoader":
        return self.loaders["train"]

    def val_dataloader(self) -> "MemoryLoader | DataLoader":
        return self.loaders["validation"]

    def test_dataloader(self) -> "MemoryLoader | DataLoader":
        return self.loaders["test"]

    def _loader(self, split: Split) -> "MemoryLoader | DataLoader":
        assert self.trainer is not None
        seed = self.seed if split.name == "train" else None
        order = BatchOrder(
            len(split), self._batch_size(split), seed=seed, rank=self.trainer.global_rank, world=self.trainer.world_size
        )
        if self.in_memory is True or (self.in_memory == "auto" and self._bytes(split) <= IN_MEMORY_BYTES):
            device = self.trainer.strategy.root_device
            places = torch.arange(len(split))
            whole = Batch(split.signals(self._fit), self.labels(split), places, lengths_of(split))
            return MemoryLoader(Batch(*(part.to(device) for part in whole)), order)
        return DataLoader(
            DiskDataset(split, self.labels(split), self._fit),
            batch_sampler=order,  # type: ignore[arg-type]
            collate_fn=_as_it_is,  # type: ignore[arg-type]
            num_workers=self.workers,
            persistent_workers=self.workers > 0,
            pin_memory=self.trainer.strategy.root_device.type == "cuda",
        )

    def _batch_size(self, split: Split) -> int:
        """`batch_size`, or less for a small split: all of a process' share, or 1/`least_steps` of it in training."""
        assert self.trainer is not None
        learns, examples = split.name == "train", len(split) // self.trainer.world_size
        most = max(1, examples // self.least_steps) if learns else examples
        if self.batch_size <= most or not examples:
            return self.batch_size
        if learns:
            text = f"training   {examples:,} examples: batches of {most}, not of loader.batch_size={self.batch_size}, "
            say(f"{text}so that an epoch has {self.least_steps} steps or more (loader.least_steps)")
        return most

    @property
    def _fit(self) -> Fit | None:
        if self.length is None:
            return None
        if self.tokens is not None:
            return Fit(self.length, first_sample)
        return Fit(self.length, partial(find_stretch, rate=self.corpus.info.rate))

    def _bytes(self, split: Split) -> int:
        shapes = split.shapes
        if self.length is not None:
            shapes[:, 1] = self.length
        return int(shapes.prod(1).sum()) * split.dtype.itemsize


def _as_it_is(batch: Batch) -> Batch:
    return batch
