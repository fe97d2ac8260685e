"""Reads a memory-mapped corpus: opening one of any size takes no time and no memory."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from sigconv.corpus.form import SIDECAR, CorpusInfo, file_checksum, read_sidecar, split_path
from sigconv.errors import UsageError


class Split:
    """The examples of one split. It is pickled to the workers of a DataLoader as a path, not as data."""

    def __init__(self, path: Path, dtype: str) -> None:
        self.path = path
        self.name = path.stem
        self.dtype = np.dtype(dtype)
        self.table = pa.ipc.open_stream(pa.memory_map(str(path))).read_all()

    def __reduce__(self) -> tuple[type["Split"], tuple[Path, str]]:
        return Split, (self.path, self.dtype.name)

    def __len__(self) -> int:
        return self.table.num_rows

    def __getitem__(self, index: int) -> Tensor:
        """A signal, in the corpus' dtype and of its own shape."""
        index = range(len(self))[index]
        signal = np.frombuffer(self.table["signal"][index].as_buffer(), self.dtype)
        return torch.from_numpy(signal.reshape(self.table["shape"][index].as_py()).copy())

    @property
    def sources(self) -> list[str]:
        return self.table["source"].to_pylist()

    @property
    def speakers(self) -> list[str | None]:
        return self.table["speaker"].to_pylist()

    @property
    def texts(self) -> list[str]:
        """Raises UsageError for a corpus with labels."""
        self._require("text")
        return self.table["text"].to_pylist()

    @property
    def labels(self) -> Tensor:
        """(N,) int64. Raises UsageError for a corpus with texts."""
        self._require("label")
        return _integers(self.table["label"].combine_chunks())

    @property
    def shapes(self) -> Tensor:
        """(N, axes) int64: the shape of each signal."""
        return _integers(self.table["shape"].combine_chunks().flatten()).reshape(len(self), -1)

    def signals(self, fit: Callable[[Tensor], Tensor] | None = None) -> Tensor:
        """All signals in memory, (N, *shape) in the corpus' dtype.

        Args:
            fit: brings each signal to a common shape; without it, signals that differ in shape raise UsageError.
        """
        if fit is not None:
            return torch.stack([fit(self[i]) for i in range(len(self))])
        shapes = self.shapes
        smallest, largest = tuple(shapes.amin(0).tolist()), tuple(shapes.amax(0).tolist())
        if smallest != largest:
            raise UsageError(
                f"The signals in {self.path} differ in shape, between {smallest} and {largest}, and so make no "
                "single tensor: give the length that each is to have."
            )
        # An Arrow array of binary values has three buffers: their validity, their offsets, and all bytes end to end.
        batches = [np.frombuffer(batch.buffers()[2], self.dtype) for batch in self.table["signal"].chunks]
        return torch.from_numpy(np.concatenate(batches).reshape(len(self), *smallest))

    def _require(self, column: str) -> None:
        if self.table[column].null_count:
            raise UsageError(f"The examples in {self.path} have no {column}.")


class Corpus:
    """A corpus on disk: `Corpus.load("data/mnist").split("train")`."""

    def __init__(self, folder: Path, info: CorpusInfo, splits: Mapping[str, Split]) -> None:
        self.folder = folder
        self.info = info
        self._splits = splits

    @classmethod
    def load(cls, folder: str | Path) -> "Corpus":
        """Opens a corpus; its signals are read only on demand.

        Raises UsageError, which names what is missing or damaged, and the command that makes the corpus.
        """
        folder = Path(folder)
        info = read_sidecar(folder)
        splits = {name: _open_split(folder, name, info) for name in info.counts}
        return cls(folder, info, splits)

    @property
    def labels(self) -> tuple[str, ...]:
        """The class names, in the order of the label numbers."""
        return self.info.labels

    @property
    def splits(self) -> tuple[str, ...]:
        return tuple(self._splits)

    def split(self, name: str) -> Split:
        if name not in self._splits:
            raise UsageError(f"The corpus in {self.folder} has no split {name!r}, but {', '.join(self.splits)}.")
        return self._splits[name]

    def verify(self) -> "Corpus":
        """Reads every byte, and raises UsageError if a file is not as it was written."""
        for name, split in self._splits.items():
            found, expected = file_checksum(split.path), self.info.checksums.get(name)
            if found != expected:
                raise _damaged(self.folder, self.info, f"{split.path} is damaged (sha256 {found}, not {expected})")
        return self

    def verify_changed(self) -> "Corpus":
        """Like `verify`, but reads only if a file may be later than the sidecar, which `write_corpus` writes last.

        If the files prove right, as those of a copy, the sidecar's time is renewed, so that they are read only once.
        """
        sidecar = self.folder / SIDECAR
        known = sidecar.stat().st_mtime_ns
        if any(split.path.stat().st_mtime_ns >= known for split in self._splits.values()):
            self.verify()
            with suppress(OSError):
                sidecar.touch()
        return self


def _open_split(folder: Path, name: str, info: CorpusInfo) -> Split:
    path = split_path(folder, name)
    try:
        split = Split(path, info.dtype)
    except FileNotFoundError:
        raise _damaged(folder, info, f"{path} is missing") from None
    except (OSError, pa.ArrowException) as error:
        raise _damaged(folder, info, f"{path} is damaged ({error})") from error
    if len(split) != info.counts[name]:
        raise _damaged(folder, info, f"{path} is damaged ({len(split)} examples, not {info.counts[name]})")
    return split


def _damaged(folder: Path, info: CorpusInfo, what: str) -> UsageError:
    return UsageError(f"{what}. Delete {folder} and run again, or make it again: {info.whole_command}")


def _integers(array: pa.Array) -> Tensor:
    """An int64 tensor that owns its memory; via DLPack, because pyarrow's to_numpy takes a second to import pandas."""
    return torch.from_numpy(np.from_dlpack(array).copy())
