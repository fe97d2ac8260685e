"""The format of a corpus on disk: a folder with one Arrow file per split, and the sidecar `corpus.json`.

The Arrow files are in the format of Hugging Face `datasets`: `datasets.Dataset.from_file` opens them. They are written
and read here through pyarrow alone, which `datasets` itself uses and which takes a tenth of the time to import.
"""

import hashlib
import json
import shlex
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
        signal: an array of the corpus' dtype, with the axes of the corpus' kind, channels first.
        split: "train", "validation", "test" or another plain word.
        source: the raw file, or the place in one, that it came from; unique within the corpus.
        label: the number of the class.
        text: what is said.
        speaker: the person who says (or writes) it.
    """

    signal: np.ndarray
    split: str
    source: str
    label: int | None = None
    text: str | None = None
    speaker: str | None = None


@dataclass(frozen=True)
class CorpusInfo:
    """The contents of the sidecar. The last three fields are filled in when the corpus is written.

    Args:
        name: the name of the corpus, for people.
        kind: "image", "audio" or "video", which gives the axes of a signal.
        dtype: of the signals: "uint8", "int16" or "float32".
        labels: the class names, in the order of the label numbers; empty for a corpus with texts.
        rate: samples (audio, in Hz) or frames (video) per second; None for images.
        terms: the licence or terms of use.
        citation: whom to cite.
        command: the command that makes this corpus, without its sources.
        grammar: the words of each class, by class name and in the order of a sentence, which has one word from each
            class; empty for a corpus without such an order.
        reader: the settings with which raw files were turned into signals, if there were any to choose; a trained
            network reads its files with the same ones.
        sources: where the raw files were found, by the argument that names the place: an absolute path without links,
            or None if none was given, as for a download; empty for a corpus without a choice.
        states: the hash of the names, sizes and times of the raw files, by the argument that names their place.
        counts: the number of examples in each split.
        split_hash: the hash of the whole corpus, see `split_hash`.
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
    sources: Mapping[str, str | None] = field(default_factory=dict)
    states: Mapping[str, str] = field(default_factory=dict)
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
    def whole_command(self) -> str:
        """The command with the sources that were given, quoted in the error when the corpus is damaged."""
        given = {f"--{name.replace('_', '-')}": path for name, path in self.sources.items() if path}
        return " ".join([self.command, *(f"{flag} {shlex.quote(path)}" for flag, path in given.items())])

    @property
    def counts_in_words(self) -> str:
        """The counts as text, such as "55,000 train, 5,000 validation, 10,000 test"."""
        return ", ".join(f"{count:,} {split}" for split, count in self.counts.items())


def split_hash(sources: Mapping[str, Iterable[str]]) -> str:
    """The sha256 of the sorted (split, source) pairs: it identifies the splits, whatever the order of the files."""
    pairs = sorted(f"{split}\t{source}\n" for split, names in sources.items() for source in names)
    return hashlib.sha256("".join(pairs).encode()).hexdigest()


def split_path(folder: Path, split: str) -> Path:
    return folder / f"{split}.arrow"


def file_checksum(path: Path) -> str:
    """The sha256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_sidecar(folder: Path, info: CorpusInfo) -> None:
    text = json.dumps(asdict(info), indent=2, ensure_ascii=False)
    (folder / SIDECAR).write_text(text + "\n", "utf-8")


def read_sidecar(folder: Path) -> CorpusInfo:
    """Reads the sidecar; raises UsageError if it is missing or damaged, or if this is the folder of a run."""
    path = folder / SIDECAR
    try:
        known = json.loads(path.read_text("utf-8"))
        info = None if "folder" in known else CorpusInfo(**known)
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(
            f"There is no corpus in {folder} (no {SIDECAR}). Make one there, in a folder that is new or empty, with "
            "the script of its name in data_prep, such as: python data_prep/mnist.py --folder data/mnist"
        ) from None
    except (ValueError, TypeError) as error:
        raise UsageError(
            f"{path} is damaged ({error}). Delete {folder} and make it again with the script of its name in data_prep."
        ) from error
    if info is None:  # a run has a file of the same name, which says where its corpus is
        raise UsageError(f"{folder} is the folder of a run, not of a corpus. The run's is in {known['folder']}.")
    return info
