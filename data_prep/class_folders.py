"""Sorts the user's own files below a root into splits: one subfolder per class, speakers found in the file names."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from data_prep.raw_files import is_hidden
from data_prep.splits import SPLITS, digest, draw_splits
from sigconv.corpus import CorpusInfo
from sigconv.errors import UsageError
from sigconv.words import first_few

SPLIT_FOLDERS = {split: split for split in SPLITS} | {"valid": "validation", "val": "validation", "dev": "validation"}
LEAST = 3  # recordings of a class: one for each split


@dataclass(frozen=True)
class File:
    """A file below the root, its class (None if there are none), and its split if a folder gives it."""

    path: Path
    source: str
    label: str | None
    split: str | None


def check_place(root: Path, folder: str | Path | None) -> None:
    """Raises UsageError if the corpus, in `folder` or else in data, would be within `root`, as if it were a class."""
    place = Path(folder or "data").resolve()
    if place.is_relative_to(root):
        raise UsageError(
            f"The corpus would be made in {place}, among the recordings: work outside of {root}, and choose a folder "
            "outside for the corpus, too (data.folder, --folder)."
        )


def corpus_folder(folder: str | Path | None, prefix: str, info: CorpusInfo) -> Path:
    """`folder`, or else one in data that has another name where the files or the options are others."""
    return Path(folder or f"data/{prefix}_{info.name}_{digest(info.states['root'], info.command)[:8]}")


def select(root: Path, files: Sequence[Path], kinds: Collection[str], used: Collection[Path] = ()) -> list[Path]:
    """The files of these kinds (suffixes in lower case); prints how many others there are, except those in `used`."""
    chosen = [path for path in files if path.suffix.lower() in kinds and not is_hidden(path)]
    _tell_skipped(root, set(files).difference(chosen, used))
    return chosen


def check_formats(files: Sequence[Path]) -> Sequence[Path]:
    """The files; raises UsageError if two differ in suffix only: one recording, perhaps in both training and test."""
    first: dict[Path, Path] = {}
    for path in files:
        other = first.setdefault(path.with_suffix(""), path)
        if other != path:
            raise UsageError(f"{other} and {path} are the same recording in two formats: take one of them away.")
    return files


def has_kind(files: Iterable[Path], kinds: Collection[str]) -> bool:
    return any(path.suffix.lower() in kinds and not is_hidden(path) for path in files)


def _tell_skipped(root: Path, skipped: Iterable[Path]) -> None:
    counts = Counter("hidden" if is_hidden(path) else path.suffix.lower() or path.name for path in skipped)
    if counts:
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in counts.most_common())
        typer.echo(
            f"{root}: skipped {counts.total():,} files whose names are not those of recordings: {kinds}", err=True
        )


def sort_into_classes(root: Path, files: Sequence[Path]) -> list[File]:
    """Each file with its class: the name of its subfolder of `root`, or of the split's folder there.

    Raises UsageError: a file is in no class' folder; a class has fewer than three; only some folders are for splits.
    """
    folders = _folders(root)
    depth = 1 + _has_split_folders(root, folders)
    loose = [str(path) for path in files if len(path.parts) <= depth]
    if loose:
        raise UsageError(
            f"{len(loose):,} recordings in {root} are in no class' folder: {first_few(loose)}. "
            "Move each into a subfolder that has the name of its class."
        )
    found = [
        File(root / path, path.as_posix(), _composed(path.parts[depth - 1]), _split_of(path) if depth == 2 else None)
        for path in files
    ]
    counts = Counter(file.label for file in found)
    classes = sorted(set(map(_composed, folders)) if depth == 1 else filter(None, counts))
    few = [f"{name} ({counts[name]})" for name in classes if counts[name] < LEAST]
    if not counts:
        raise UsageError(f"There are no recordings in {root}: it must have a subfolder of them for each class.")
    if few:
        raise UsageError(
            f"A class needs {LEAST} recordings at least, one for each split, but in {root} these have fewer: "
            f"{', '.join(few)}. Record more, or move their folders away."
        )
    return found


def _composed(name: str) -> str:
    """One spelling (NFC) for names with accents, which a Mac writes as letters of their own."""
    return unicodedata.normalize("NFC", name)


def without_classes(root: Path, files: Sequence[Path]) -> list[File]:
    """Each file without a class, but with its split if the subfolders of `root` are those of the splits."""
    split = _has_split_folders(root, _folders(root))
    loose = [str(path) for path in files if split and len(path.parts) == 1]
    if loose:
        raise UsageError(
            f"{len(loose):,} recordings in {root} are in no split's folder: {first_few(loose)}. "
            "Move each into train, validation or test."
        )
    return [File(root / path, path.as_posix(), None, _split_of(path) if split else None) for path in files]


def _folders(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir() if path.is_dir() and not is_hidden(Path(path.name)))


def _split_of(path: Path) -> str:
    return SPLIT_FOLDERS[path.parts[0].lower()]


def _has_split_folders(root: Path, folders: Sequence[str]) -> bool:
    splits = [SPLIT_FOLDERS[name.lower()] for name in folders if name.lower() in SPLIT_FOLDERS]
    if splits and (sorted(splits) != sorted(SPLITS) or len(splits) < len(folders)):
        raise UsageError(
            f"The folders in {root} are {', '.join(folders)}: some are splits, but splits are train, validation and "
            "test, all three and nothing else. Add what is missing, or put the folders of the classes into "
            f"{root} itself, with other names."
        )
    return bool(splits)


def find_speakers(files: Sequence[File], pattern: str | None) -> dict[str, str]:
    """The speaker of each source, found by a regular expression with one group; no speakers if it is None."""
    if pattern is None:
        return {}
    try:
        expression = re.compile(_composed(pattern))
    except re.error as error:
        raise UsageError(f"The speaker's pattern {pattern!r} is not a regular expression: {error}.") from None
    if expression.groups != 1:
        raise UsageError(f"The speaker's pattern {pattern!r} has {expression.groups} groups in (), it needs one.")
    found = {file.source: expression.search(_composed(file.path.name)) for file in files}
    without = [source for source, match in found.items() if not match or not match[1]]
    if without:
        raise UsageError(
            f"The speaker's pattern {pattern!r} finds no speaker in {len(without):,} of {len(found):,} names: "
            f"{first_few(without)}."
        )
    return {source: match[1] for source, match in found.items() if match}


def assign_splits(files: Sequence[File], speakers: Mapping[str, str], validation: float, test: float) -> dict[str, str]:
    """The split of each source; prints who speaks in several. Raises UsageError if a split would lack a class."""
    splits = {file.source: file.split for file in files if file.split}
    if splits:
        _tell_shared(speakers, splits)
    elif speakers:
        splits = _split_speakers(speakers, validation, test)
    else:
        splits = _split_classes(files, validation, test)
    _check_classes(files, splits, "more speakers" if speakers else "more")
    return splits


def _tell_shared(speakers: Mapping[str, str], splits: Mapping[str, str]) -> None:
    """Prints who is in several of the user's own splits."""
    places = defaultdict(set)
    for source, speaker in speakers.items():
        places[speaker].add(splits[source])
    shared = sorted(speaker for speaker, there in places.items() if len(there) > 1)
    if shared:
        typer.echo(
            f"In more than one of the folders train, validation and test are {len(shared):,} of {len(places):,} "
            f"speakers: {first_few(shared)}.",
            err=True,
        )


def _split_speakers(speakers: Mapping[str, str], validation: float, test: float) -> dict[str, str]:
    known = sorted(set(speakers.values()))
    if len(known) < len(SPLITS):
        raise UsageError(
            f"The speaker's pattern finds {', '.join(known)}: train, validation and test need a speaker each at "
            "least. Record more speakers, or leave the pattern out, so that all are in each split."
        )
    drawn = draw_splits(known, validation, test)
    return {source: drawn[speaker] for source, speaker in speakers.items()}


def _split_classes(files: Sequence[File], validation: float, test: float) -> dict[str, str]:
    typer.echo(
        "Who speaks is not known, so voices of the training are in the test, too. Tell by data.speaker (--speaker).",
        err=True,
    )
    classes = defaultdict(list)
    for file in files:
        classes[file.label].append(file.source)
    drawn = (draw_splits(sources, validation, test) for sources in classes.values())
    return {source: split for splits in drawn for source, split in splits.items()}


def _check_classes(files: Sequence[File], splits: Mapping[str, str], more: str) -> None:
    there = {(file.label or "", splits[file.source]) for file in files}
    missing = [
        f"{label!r} in {split}" if label else f"recording in {split}"
        for label in sorted({label for label, _ in there})
        for split in SPLITS
        if (label, split) not in there
    ]
    if missing:
        raise UsageError(
            f"Each class must be in each split, but there is no {', '.join(missing)}. Record {more}, give validation "
            "or test a larger share, or sort the files into train, validation and test by hand."
        )
