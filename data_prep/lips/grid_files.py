"""GRID's files: which video belongs to which speaker and alignment, and what an alignment contains."""

import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import typer

from data_prep.left_out import LeftOut
from data_prep.lips.words import Word
from data_prep.raw_files import is_hidden, list_files
from sigconv.errors import UsageError
from sigconv.names import known, listed
from sigconv.signals.lips.grammar import GRID_GRAMMAR
from sigconv.signals.lips.video import READABLE

Files = Mapping[str, Mapping[str, Path]]  # speaker -> name of the sentence, such as "bbaf5a" -> file
SPEAKER = re.compile(r"s\d+")
UNITS = 25_000  # of time in an alignment per second
SILENT = ("sil", "sp")


class Sentence(NamedTuple):
    """Six words, and the end of the silence after them, in seconds."""

    words: Sequence[Word]
    end: float


def find_videos(root: Path) -> Files:
    """The videos of each speaker, such as s1, after whom a folder above them, or `root` itself, is named.

    So the layouts s1/*.mpg, s1/video/*.mpg and s1/s1/*.mpg all work. Raises UsageError if there are no videos, if a
    sentence of a speaker is there twice, or if there is what `list_files` refuses.
    """
    videos = _find(root, READABLE)
    if not videos:
        raise UsageError(
            f"There are no videos of GRID in {root}: it should be the unpacked dataset, with a folder s1, s2 and so on "
            "of video files for each speaker, such as s1/bbaf5a.mpg."
        )
    return videos


def find_alignments(root: Path, videos: Files) -> Files:
    """The alignments of each speaker.

    In the official archive, some speakers' alignments are in another's folder. So if less than half of a speaker's
    sentences are in the folder of that name, one with more than half of them is taken instead, and a message says so.
    """
    folders = _find(root, (".align",))
    found = {}
    for speaker, clips in videos.items():
        shares = {name: len(clips.keys() & names.keys()) / len(clips) for name, names in folders.items()}
        best = max(shares, key=shares.__getitem__, default=speaker)
        if shares.get(speaker, 0) < 0.5 < shares.get(best, 0):
            typer.echo(f"{root}: the alignments of {speaker} are in the folder of {best}, by their names", err=True)
        else:
            best = speaker
        found[speaker] = folders.get(best, {})
    return found


def _find(root: Path, kinds: Collection[str]) -> Files:
    found: dict[str, dict[str, Path]] = defaultdict(dict)
    top = root.resolve()
    for name in list_files(top):
        path = top / name
        speakers = [part for part in (top.name, *name.parent.parts) if SPEAKER.fullmatch(part)]
        if path.suffix.lower() in kinds and speakers and not is_hidden(name):
            other = found[speakers[-1]].setdefault(path.stem, path)
            if other != path:
                raise UsageError(f"{other} and {path} are the same sentence of one speaker: take one of them away.")
    return {speaker: found[speaker] for speaker in sorted(found, key=lambda name: int(name[1:])) if found[speaker]}


def choose_speakers(wanted: str | Sequence[str] | None, there: Sequence[str]) -> tuple[str, ...]:
    """The speakers wanted, a list or a comma-separated text, in the order of `there`; all that are there if None."""
    if wanted is None:
        return tuple(there)
    chosen = {known("speaker of GRID", name, there) for name in listed(wanted)}
    return tuple(name for name in there if name in chosen)


def read_sentence(path: Path | None) -> Sentence:
    """Reads an alignment, lines such as "17500 23000 bin"; raises LeftOut if there is none, or no sentence of GRID."""
    if path is None:
        raise LeftOut("no alignment")
    try:
        lines = [line.split() for line in path.read_text("utf-8").splitlines() if line.strip()]
        spans = [Word(text, int(start) / UNITS, int(end) / UNITS) for start, end, text in lines]
    except ValueError:
        raise LeftOut("alignment is damaged") from None
    words = [span for span in spans if span.text not in SILENT]
    if any(span.end <= span.first for span in words):
        raise LeftOut("alignment is damaged")
    if len(words) != len(GRID_GRAMMAR):
        raise LeftOut(f"alignment has {len(words)} words, not {len(GRID_GRAMMAR)}")
    for word, (kind, choices) in zip(words, GRID_GRAMMAR.items(), strict=True):
        if word.text not in choices:
            raise LeftOut(f"alignment has the {kind} {word.text!r}, which is none of GRID")
    return Sentence(words, max(span.end for span in spans))
