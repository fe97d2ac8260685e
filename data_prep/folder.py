"""Anybody's own recordings, a subfolder a class, into a corpus: `python data_prep/folder.py PATH`."""

import hashlib
import re
import shlex
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from data_prep.recordings import SPLITS, Item, load_prepared, write_recordings
from data_prep.script import run
from sigconv.corpus import Corpus, CorpusInfo
from sigconv.errors import UsageError
from sigconv.signals.speech.soundfiles import CONVERTIBLE, READABLE

SPLIT_FOLDERS = {split: split for split in SPLITS} | {"valid": "validation", "val": "validation", "dev": "validation"}
SOUND = READABLE + CONVERTIBLE  # those that cannot be read are not skipped, but told of
LEAST = 3  # recordings of a class: one for each split


@dataclass(frozen=True)
class Sound:
    """A sound file below the root, its class, and its split where a folder tells it."""

    path: Path
    source: str
    label: str
    split: str | None


def prepare(
    root: str | Path,
    folder: str | Path | None = None,
    rate: int = 16_000,
    validation: float = 0.1,
    test: float = 0.1,
    speaker: str | None = None,
    faulty: str = "leave_out",
) -> Corpus:
    """The corpus of the recordings below `root`, made if it is not there: int16, mono, of one rate.

    Each subfolder of `root` is a class, with files at any depth, of any rate, channels and length. Where the
    subfolders are train, validation (or valid, val, dev) and test, they are the splits, and the classes are in them.
    Otherwise the hash of a file's name, or of its speaker's, draws its split, which stays the same whatever is added
    later; a class (or a number of speakers) too small to get into each split in this way is split in the order of its
    hashes.

    Args:
        folder: of the corpus. Without one it is `data/folder_<name of root>_<hash>`, with a hash of the files and of
            all that is asked for here: when something changes, there is a new corpus beside the old one.
        rate: to which the recordings are brought, in Hz.
        validation: share of the recordings (of the speakers, if they are known) for validation.
        test: share for testing.
        speaker: regular expression with one group that finds the speaker in a file's name, such as "_([a-z]+)_" for
            7_jackson_32.wav. No speaker is then in more than one split drawn by hash.
        faulty: what becomes of faulty recordings, see `write_recordings`.

    Raises:
        UsageError: `root` is not made up like that; a class has less than three recordings, or none for some split;
            the corpus' folder holds something else, or the corpus of what the files were before.
    """
    root = Path(root).resolve()
    _check_shares(validation, test)
    sounds = find_sounds(root)
    speakers = find_speakers(sounds, speaker)
    options = {"rate": rate, "validation": validation, "test": test, "speaker": speaker, "faulty": faulty}
    chosen = [word for name, value in options.items() if value is not None for word in (f"--{name}", str(value))]
    info = CorpusInfo(
        name=root.name,
        kind="audio",
        dtype="int16",
        labels=tuple(sorted({sound.label for sound in sounds})),
        rate=rate,
        terms="those of the recordings",
        citation=f"recordings in {root}, when the hash of their names, sizes and times was {_state(sounds)}",
        command=shlex.join(["python", "data_prep/folder.py", str(root), *chosen]),
    )
    place = Path(folder) if folder else Path("data", f"folder_{info.name}_{_digest(info.citation, *chosen)[:8]}")
    corpus = load_prepared(place, info)
    if corpus is None:
        splits = assign_splits(sounds, speakers, validation, test)
        items = [Item(s.path, s.source, s.label, splits[s.source], speakers.get(s.source)) for s in sounds]
        return write_recordings(place, info, items, faulty=faulty)
    if corpus.info.citation != info.citation:
        raise UsageError(
            f"{place} has the {corpus.info.citation}; they have changed since. Delete it, or choose another folder."
        )
    return corpus


def find_sounds(root: Path) -> list[Sound]:
    """The sound files below `root`; says how many other files there are, and skips them."""
    if not root.is_dir():
        raise UsageError(f"There is no folder {root}: name one with a subfolder of recordings for each class.")
    paths = sorted(root.rglob("*"))
    links = [path for path in paths if path.is_symlink() and path.is_dir()]
    if links:
        raise UsageError(f"{links[0]} is a link to a folder, and links are not followed: put the folder itself there.")
    files = [path.relative_to(root) for path in paths if path.is_file()]
    sounds = [path for path in files if path.suffix.lower() in SOUND and not _is_hidden(path)]
    _tell_skipped(root, set(files).difference(sounds))
    folders = sorted(path.name for path in root.iterdir() if path.is_dir() and not _is_hidden(Path(path.name)))
    depth = 1 + _has_split_folders(root, folders)
    loose = [str(path) for path in sounds if len(path.parts) <= depth]
    if loose:
        raise UsageError(
            f"{len(loose):,} recordings in {root} are in no class' folder: {', '.join(loose[:5])}. "
            "Move each into a subfolder that has the name of its class."
        )
    found = [
        Sound(root / path, path.as_posix(), path.parts[depth - 1], SPLIT_FOLDERS[path.parts[0].lower()])
        if depth == 2
        else Sound(root / path, path.as_posix(), path.parts[0], None)
        for path in sounds
    ]
    counts = Counter(sound.label for sound in found)
    classes = folders if depth == 1 else counts
    few = [f"{name} ({counts[name]})" for name in classes if counts[name] < LEAST]
    if few or not counts:
        raise UsageError(
            f"A class needs {LEAST} recordings at least, one for each split, but in {root} these have fewer: "
            f"{', '.join(few) or 'all'}. Record more, or move their folders away."
        )
    return found


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _tell_skipped(root: Path, skipped: Iterable[Path]) -> None:
    counts = Counter("hidden" if _is_hidden(path) else path.suffix.lower() or path.name for path in skipped)
    if counts:
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in counts.most_common())
        typer.echo(f"{root}: skipped {counts.total():,} files that are no recordings by their names: {kinds}", err=True)


def _has_split_folders(root: Path, folders: Sequence[str]) -> bool:
    splits = [SPLIT_FOLDERS[name.lower()] for name in folders if name.lower() in SPLIT_FOLDERS]
    if splits and (sorted(splits) != sorted(SPLITS) or len(splits) < len(folders)):
        raise UsageError(
            f"The folders in {root} are {', '.join(folders)}: some are splits, but splits are train, validation and "
            "test, all three and nothing else. Add what is missing, or put the folders of the classes into "
            f"{root} itself, with other names."
        )
    return bool(splits)


def find_speakers(sounds: Sequence[Sound], pattern: str | None) -> dict[str, str]:
    """The speaker of each source, by a regular expression with one group; none without it."""
    if pattern is None:
        return {}
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise UsageError(f"The speaker's pattern {pattern!r} is no regular expression: {error}.") from None
    if expression.groups != 1:
        raise UsageError(f"The speaker's pattern {pattern!r} has {expression.groups} groups in (), it needs one.")
    found = {sound.source: expression.search(sound.path.name) for sound in sounds}
    without = [source for source, match in found.items() if not match or not match[1]]
    if without:
        raise UsageError(
            f"The speaker's pattern {pattern!r} finds no speaker in {len(without):,} of {len(found):,} names: "
            f"{', '.join(without[:5])}."
        )
    return {source: match[1] for source, match in found.items() if match}


def assign_splits(
    sounds: Sequence[Sound], speakers: Mapping[str, str], validation: float, test: float
) -> dict[str, str]:
    """The split of each source; each class is in each split."""
    splits = {sound.source: sound.split for sound in sounds if sound.split}
    if not splits and speakers:
        drawn = draw_splits(set(speakers.values()), validation, test)
        splits = {source: drawn[speaker] for source, speaker in speakers.items()}
    elif not splits:
        classes = defaultdict(list)
        for sound in sounds:
            classes[sound.label].append(sound.source)
        for sources in classes.values():
            splits |= draw_splits(sources, validation, test)
    labels = sorted({sound.label for sound in sounds})
    there = {(sound.label, splits[sound.source]) for sound in sounds}
    missing = [f"{label!r} in {split}" for label in labels for split in SPLITS if (label, split) not in there]
    if missing:
        raise UsageError(
            f"Each class must be in each split, but there is no {', '.join(missing)}. Record more"
            + (" speakers" if speakers else "")
            + ", give validation or test a larger share, or sort the files into train, validation and test by hand."
        )
    return splits


def draw_splits(names: Iterable[str], validation: float, test: float) -> dict[str, str]:
    """A split for each name, by its hash alone; where that leaves a split empty, by the order of the hashes."""
    places = {name: int(_digest(name)[:13], 16) / 16**13 for name in names}  # in [0, 1)
    drawn = {name: _part(place, validation, validation + test) for name, place in places.items()}
    if set(drawn.values()) == set(SPLITS):
        return drawn
    in_order = sorted(places, key=places.__getitem__)
    tested_from = max(1, round(validation * len(in_order)))
    trained_from = tested_from + max(1, round(test * len(in_order)))
    return {name: _part(rank, tested_from, trained_from) for rank, name in enumerate(in_order)}


def _part(place: float, tested_from: float, trained_from: float) -> str:
    if place < tested_from:
        return "validation"
    return "test" if place < trained_from else "train"


def _check_shares(validation: float, test: float) -> None:
    if not (validation > 0 and test > 0 and validation + test < 1):
        raise UsageError(
            f"The shares are {validation:g} for validation and {test:g} for testing; "
            "both must be above 0, and together below 1."
        )


def _state(sounds: Sequence[Sound]) -> str:
    """Changes when a file is added, removed, renamed or written."""
    stats = [(sound.source, sound.path.stat()) for sound in sounds]
    return _digest(*(f"{source} {stat.st_size} {stat.st_mtime_ns}" for source, stat in stats))[:16]


def _digest(*texts: str) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def main(
    root: Path,
    folder: Path | None = None,
    rate: int = 16_000,
    validation: float = 0.1,
    test: float = 0.1,
    speaker: str | None = None,
    faulty: str = "leave_out",
) -> None:
    """Prepare the recordings below ROOT, a subfolder a class, in FOLDER.

    SPEAKER is a regular expression whose group finds the speaker in a file's name: no speaker is then in two splits.
    FAULTY recordings: leave_out, keep (the clipped ones) or refuse.
    """
    run(lambda: prepare(root, folder, rate, validation, test, speaker, faulty))


if __name__ == "__main__":
    typer.run(main)
