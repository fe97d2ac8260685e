"""Prepares Lip Reading in the Wild, 500 words from BBC television, as a corpus: `python data_prep/lrw.py SOURCE`.

Each clip has 29 frames, 1.16 s, with the word in the middle. The BBC gives it to researchers who sign an agreement, so
there is nothing to download here: https://www.bbc.co.uk/rd/projects/lip-reading-datasets
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import typer

from data_prep.left_out import count_reasons
from data_prep.lips.clips import Clip
from data_prep.lips.mouth_corpus import write_mouths
from data_prep.prepared import file_state, load_prepared
from data_prep.raw_files import files_in
from data_prep.script import command_line, write_flags
from data_prep.splits import digest
from sigconv.corpus import Corpus, CorpusInfo, Example
from sigconv.errors import UsageError
from sigconv.names import known, listed
from sigconv.signals.lips.mouths import MouthReader, Mouths
from sigconv.words import first_few

AGREEMENT = "https://www.bbc.co.uk/rd/projects/lip-reading-datasets"
FOLDERS = {"train": "train", "val": "validation", "test": "test"}  # of a word, and their splits

INFO = CorpusInfo(
    name="LRW",
    kind="video",
    dtype="uint8",
    labels=(),
    rate=25,
    terms="the BBC's agreement: research only, not to be passed on",
    citation="J. S. Chung, A. Zisserman: Lip reading in the wild. ACCV 2016.",
    command="python data_prep/lrw.py lipread_mp4",
)


def prepare(
    source: str | Path | None,
    folder: str | Path = "data/lrw",
    words: str | Sequence[str] | None = None,
    task: str = "words",
    mouth: Mapping[str, Any] | None = None,
    workers: int | None = None,
) -> Corpus:
    """The corpus of some words, in a folder of its own in `folder`, created if it does not exist: uint8 (C, T, H, W).

    The splits are the official ones. The cropped mouths are kept in `folder/mouths`. A clip in which no mouth is found
    is left out and listed in `left_out.csv`. Words of which a split has no clip are told; those without clips in train
    are left out.

    Args:
        source: the unpacked dataset, or its folder lipread_mp4. A different set of clips gives a different corpus.
        words: such as "ABOUT,ABSOLUTELY" or a list; by default all those in the source.
        task: "words", since there are no sentences.
        mouth: settings of `MouthReader`.
        workers: processes that crop; by default one per core.

    Raises:
        UsageError: there is no source, or it holds something else; there is no such word, or nothing to learn it from;
            a split would be empty; the task is another; the corpus' folder holds a damaged corpus, one of the files as
            they were before, or something else.
    """
    if task != "words":
        raise UsageError(f"LRW has single words only: take task=words instead of task={task}, or data=grid.")
    if source is None:
        raise UsageError(
            f"LRW cannot be downloaded without an agreement with the BBC: see {AGREEMENT}, and give data.source=PATH, "
            "the folder lipread_mp4."
        )
    reader = MouthReader(**(mouth or {}))
    root = find_root(Path(source))
    chosen = choose_words(words, list_words(root))
    found = find_clips(root, chosen)
    gaps = find_gaps(chosen, found)
    unlearned = {word for word, names in gaps.items() if "train" in names}
    labels = tuple(word for word in chosen if word not in unlearned)
    if words is not None and unlearned:
        raise UsageError(
            f"There are no clips to learn {first_few(sorted(unlearned))} from, in the folder train of each in {root}: "
            "bring them, or leave these out of the words."
        )
    splits = {clip: split for clip, split in found.items() if word_of(clip) not in unlearned}
    command = f"{INFO.command} {write_flags({'words': labels if words else None, **asdict(reader)})}"
    states = {"source": file_state(root, (clip.path for clip in splits))}
    info = replace(INFO, labels=labels, rate=reader.rate, reader=asdict(reader), command=command, states=states)
    place = Path(folder, f"words_{len(labels)}_{digest(info.command, *labels, *(clip.source for clip in splits))[:8]}")
    corpus = load_prepared(place, info)
    if corpus:
        return corpus
    _tell_gaps(root, chosen, gaps)

    def cut(clip: Clip, mouths: Mouths) -> Iterator[Example]:
        yield Example(mouths.frames, splits[clip], clip.source, labels.index(word_of(clip)))

    crops, cure = Path(folder, "mouths"), "take other words"
    return write_mouths(place, info, list(splits), reader, crops, cut, left_out={}, cure=cure, workers=workers)


def find_root(source: Path) -> Path:
    """The folder with a folder for each word: `source`, or lipread_mp4 in it."""
    for root in (source, source / "lipread_mp4"):
        if files_in(root.glob("*/train"), ".mp4"):
            return root
    raise UsageError(
        f"There are no clips of LRW in {source}: it should be the unpacked dataset, or its folder lipread_mp4, with "
        "files such as ABOUT/train/ABOUT_00001.mp4."
    )


def list_words(root: Path) -> list[str]:
    """Of which there is a folder for some split, even if nothing is in it yet."""
    return sorted(path.name for path in root.iterdir() if any((path / name).is_dir() for name in FOLDERS))


def choose_words(wanted: str | Sequence[str] | None, there: Sequence[str]) -> tuple[str, ...]:
    """The words wanted, a list or a comma-separated text; all that are there if None."""
    if wanted is None:
        return tuple(there)
    return tuple(known("word of LRW", name.upper(), there) for name in listed(wanted))


def find_clips(root: Path, words: Sequence[str]) -> dict[Clip, str]:
    """The clips of these words, each with its split."""
    return {
        Clip(path, path.relative_to(root).as_posix(), None): split
        for word in words
        for name, split in FOLDERS.items()
        for path in files_in([root / word / name], ".mp4")
    }


def word_of(clip: Clip) -> str:
    return clip.source.split("/")[0]


def find_gaps(words: Iterable[str], clips: Iterable[Clip]) -> dict[str, list[str]]:
    """The folders without a clip of each word that has such, as after half a download."""
    there = {clip.source.rpartition("/")[0] for clip in clips}
    gaps = {word: [name for name in FOLDERS if f"{word}/{name}" not in there] for word in words}
    return {word: names for word, names in gaps.items() if names}


def _tell_gaps(root: Path, words: Sequence[str], gaps: Mapping[str, Sequence[str]]) -> None:
    if gaps:
        reasons = {
            word: f"without clips in {', '.join(names)}{', and left out' if 'train' in names else ''}"
            for word, names in gaps.items()
        }
        typer.echo(
            f"LRW: of {len(words):,} words in {root} {len(gaps):,} are incomplete. Bring the rest of them, or name "
            f"others by words:\n{count_reasons(reasons)}",
            err=True,
        )


main = command_line(prepare, mouth=MouthReader)

if __name__ == "__main__":
    main()
