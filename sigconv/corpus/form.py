"""What a corpus looks like on disk: a folder with one Arrow file a split, and the sidecar `corpus.json`.

The Arrow files are those of Hugging Face `datasets`: `datasets.Dataset.from_file` opens them. They are written and
read here through pyarrow alone, which is what `datasets` does it with, and is imported in a tenth of the time.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from sigconv.errors import UsageError

SCHEMA = pa.schema(
    {
        "signal": pa.binary(),  # the bytes of a C-ordered, little-endian array of the corpus' dtype
        "shape": pa.list_(pa.int64()),
        "label": pa.int64(),
        "text": pa.string(),
        "speaker": pa.string(),
        "split": pa.string(),
        "source": pa.string(),
    }
)
AXES = {
    "image": ("channels", "height", "width"),
    "audio": ("channels", "samples"),
    "video": ("channels", "frames", "height", "width"),
}
DTYPES = ("uint8", "int16", "float32")
SIDECAR = "corpus.json"


@dataclass(frozen=True)
class Example:
    """One recording, with either a label or a text.

    Args:
        signal: an array of the corpus' dtype, its axes those of the corpus' kind, channels first.
        split: "train", "validation", "test" or another plain word.
        source: the raw file, or the place in one, that it came from; no two examples of a corpus share it.
        label: the number of the class.
        text: what is said.
        speaker: who says (or writes) it.
    """

    signal: np.ndarray
    split: str
    source: str
    label: int | None = None
    text: str | None = None
    speaker: str | None = None


@dataclass(frozen=True)
class CorpusInfo:
    """What the sidecar says. The last three fields are filled in as the corpus is written.

    Args:
        name: of the corpus, for people.
        kind: "image", "audio" or "video", which gives the axes of a signal.
        dtype: of the signals: "uint8", "int16" or "float32".
        labels: the class names, in the order of the label numbers; empty for a corpus with texts.
        rate: samples (audio, in Hz) or frames (video) per second; None for images.
        terms: the licence or terms of use.
        citation: whom to cite.
        command: the command that makes this corpus, named when it is damaged.
        grammar: the words that a sentence is made of, one from each class, by the name of the class and in the order
            of a sentence; empty where there is no such order.
        reader: the settings by which raw files became signals, where such a choice was made; a trained network's
            files are read by the same.
        counts: the examples in each split.
        split_hash: of the whole corpus, see `split_hash`.
        checksums: the sha256 of each split's file.
    """

    name: str
    kind: str
    dtype: str
    labels: tuple[str, ...]
    rate: float | None
    terms: str
    citation: str
    command: str
    grammar: Mapping[str, Sequence[str]] = field(default_factory=dict)
    reader: Mapping[str, Any] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    split_hash: str = ""
    checksums: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", tuple(self.labels))  # JSON has lists only
        if self.kind not in AXES:
            raise UsageError(f"{self.name}: the kind {self.kind!r} is none of {', '.join(AXES)}.")
        if self.dtype not in DTYPES:
            raise UsageError(f"{self.name}: the dtype {self.dtype!r} is none of {', '.join(DTYPES)}.")
        if self.kind == "image" and self.rate is not None:
            raise UsageError(f"{self.name}: the rate is {self.rate}, but images have none: leave it None.")
        if self.kind != "image" and not (self.rate and self.rate > 0):
            raise UsageError(f"{self.name}: the rate is {self.rate}; {self.kind} needs a positive one.")
        if len(set(self.labels)) < len(self.labels):
            raise UsageError(f"{self.name}: a class name comes twice in {', '.join(self.labels)}.")

    @property
    def counts_in_words(self) -> str:
        """Such as "55,000 train, 5,000 validation, 10,000 test"."""
        return ", ".join(f"{count:,} {split}" for split, count in self.counts.items())


def split_hash(sources: Mapping[str, Iterable[str]]) -> str:
    """sha256 over the (split, source) pairs in sorted order: it tells the splits, not the order of the files."""
    pairs = sorted(f"{split}\t{source}\n" for split, names in sources.items() for source in names)
    return hashlib.sha256("".join(pairs).encode()).hexdigest()


def split_path(folder: Path, split: str) -> Path:
    return folder / f"{split}.arrow"


def file_checksum(path: Path) -> str:
    """sha256, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_sidecar(folder: Path, info: CorpusInfo) -> None:
    text = json.dumps(asdict(info), indent=2, ensure_ascii=False)
    (folder / SIDECAR).write_text(text + "\n", "utf-8")


def read_sidecar(folder: Path) -> CorpusInfo:
    """Raises UsageError where there is none, or a damaged one."""
    path = folder / SIDECAR
    try:
        return CorpusInfo(**json.loads(path.read_text("utf-8")))
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(
            f"There is no corpus in {folder} (no {SIDECAR}). Make one there, in a folder that is new or empty, with "
            "the script of its name in data_prep, such as: python data_prep/mnist.py --folder data/mnist"
        ) from None
    except (ValueError, TypeError) as error:
        raise UsageError(
            f"{path} is damaged ({error}). Delete {folder} and make it anew with the script of its name in data_prep."
        ) from error
