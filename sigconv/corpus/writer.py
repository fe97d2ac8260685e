"""Writes a corpus: streamed, checked example by example, and either complete or not there at all."""

import os
import tempfile
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from tqdm import tqdm

from sigconv.corpus.form import (
    AXES,
    SCHEMA,
    CorpusInfo,
    Example,
    file_checksum,
    split_hash,
    split_path,
    write_sidecar,
)
from sigconv.corpus.reader import Corpus
from sigconv.errors import UsageError
from sigconv.files import naming

BATCH_BYTES = 32 << 20  # of signals buffered in memory for each split before they are written


def is_free(folder: Path) -> bool:
    """Whether a new corpus can be written here: the folder does not exist, or is empty."""
    return not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))


def write_corpus(
    folder: str | Path,
    info: CorpusInfo,
    examples: Iterable[Example],
    total: int | None = None,
    finish: Callable[[Path], None] | None = None,
) -> Corpus:
    """Writes the examples, under a progress bar that ends at `total`, and opens the corpus.

    Everything is written to a temporary folder beside it, which is renamed at the end. An error or Ctrl-C leaves
    nothing behind; a killed process leaves a `<folder>.part-...`, which is never mistaken for a corpus. `finish` is
    called with the complete folder before it is renamed, to add files of its own.

    Raises UsageError: the folder is not empty; there are no examples; or one does not fit `info` (dtype, axes, label),
    is empty or not finite, or has the same source as another.
    """
    folder = Path(folder)
    if not is_free(folder):
        raise UsageError(f"{folder} holds something already: delete it, or choose another folder.")
    place = folder.resolve()  # where a link leads to, perhaps on another disk
    place.parent.mkdir(parents=True, exist_ok=True)
    with naming(folder), tempfile.TemporaryDirectory(dir=place.parent, prefix=f"{place.name}.part-") as scratch:
        whole = Path(scratch, "corpus")
        whole.mkdir()
        sources = _write_splits(whole, info, tqdm(examples, f"writing {folder}", total, disable=None))
        written = replace(
            info,
            counts={split: len(names) for split, names in sources.items()},
            split_hash=split_hash(sources),
            checksums={split: file_checksum(split_path(whole, split)) for split in sources},
        )
        write_sidecar(whole, written)
        if finish:
            finish(whole)
        try:
            os.rename(whole, place)
        except OSError:
            if is_free(folder):
                raise
            raise UsageError(f"{folder} was made by another process meanwhile, and is left as it is.") from None
    return Corpus.load(folder)


def _write_splits(folder: Path, info: CorpusInfo, examples: Iterable[Example]) -> dict[str, list[str]]:
    """Writes one file per split; returns the sources in each."""
    writers: dict[str, _SplitWriter] = {}
    sources: dict[str, list[str]] = {}
    seen: set[str] = set()
    with ExitStack() as stack:
        for example in examples:
            problem = _problem(example, info, seen)
            if problem:
                raise UsageError(f"{info.name}, example {example.source!r}: {problem}.")
            if example.split not in writers:
                writers[example.split] = stack.enter_context(_SplitWriter(split_path(folder, example.split)))
            writers[example.split].add(example)
            sources.setdefault(example.split, []).append(example.source)
            seen.add(example.source)
    if not sources:
        raise UsageError(f"{info.name}: there is no example to write.")
    return sources


class _SplitWriter:
    """The file of one split, written batch by batch."""

    def __init__(self, path: Path) -> None:
        self.stream = pa.ipc.new_stream(str(path), SCHEMA)
        self.rows: list[dict] = []
        self.bytes = 0

    def __enter__(self) -> "_SplitWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self._flush()
        self.stream.close()

    def add(self, example: Example) -> None:
        signal = example.signal
        self.rows.append({**vars(example), "signal": signal.tobytes(), "shape": signal.shape})
        self.bytes += signal.nbytes
        if self.bytes >= BATCH_BYTES:
            self._flush()

    def _flush(self) -> None:
        if self.rows:
            self.stream.write_batch(pa.RecordBatch.from_pylist(self.rows, SCHEMA))
        self.rows, self.bytes = [], 0


def _problem(example: Example, info: CorpusInfo, seen: set[str]) -> str | None:
    """What is wrong with an example, if anything."""
    signal, axes = example.signal, AXES[info.kind]
    if signal.dtype != np.dtype(info.dtype):
        return f"its dtype is {signal.dtype}, that of the corpus is {info.dtype}"
    if signal.ndim != len(axes) or signal.size == 0:
        return f"its shape is {signal.shape}, it should be ({', '.join(axes)}), each at least 1"
    if signal.dtype.kind == "f" and not np.isfinite(signal).all():
        return "it holds NaN or infinite values"
    if (example.label is None) == (example.text is None):
        return "it needs a label or a text, and not both"
    if example.label is None and info.labels:
        return "it has a text, but the corpus has labels"
    if example.label is not None and not 0 <= example.label < len(info.labels):
        return f"its label is {example.label}, but the corpus has {len(info.labels)} labels"
    if not example.split.isidentifier():
        return f"its split is {example.split!r}, it should be a plain word"
    if example.source in seen:
        return "another example has the same source"
    return None
