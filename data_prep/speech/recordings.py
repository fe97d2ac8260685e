"""What every corpus of recordings shares: sound files in, a corpus out, and a list of those that were left out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from data_prep.copies import Copies
from data_prep.left_out import count_reasons, summary, write_list
from data_prep.missing_classes import tell_missing
from data_prep.splits import empty_splits
from sigconv.corpus import Corpus, CorpusInfo, Example, write_corpus
from sigconv.errors import UsageError
from sigconv.names import known
from sigconv.signals.speech.recording import BadRecording, read_recording

FAULTY = ("leave_out", "keep", "refuse")


@dataclass(frozen=True)
class Item:
    """A recording for the corpus, not yet read.

    Args:
        path: of the sound file.
        source: its name in the corpus, usually the path relative to the raw folder.
        label: one of the corpus' labels.
        split: "train", "validation" or "test".
        speaker: who speaks, if known.
    """

    path: Path
    source: str
    label: str
    split: str
    speaker: str | None


def check_splits(items: list[Item], place: Path, rule: str = "") -> list[Item]:
    """The items; raises UsageError if one of the three splits gets none of those in `place`, by the named rule."""
    empty = empty_splits(item.split for item in items)
    if empty:
        told = f" by {rule}" if rule else ""
        raise UsageError(f"None of the {len(items):,} recordings in {place} belongs to {', '.join(empty)}{told}.")
    return items


def write_recordings(
    folder: str | Path, info: CorpusInfo, items: Sequence[Item], *, faulty: str = "leave_out"
) -> Corpus:
    """Reads the items, at the corpus' rate and mixed down to one channel, and writes them as the corpus in `folder`.

    Args:
        faulty: how faulty recordings are handled. "leave_out": they are left out, and listed with the reason in
            `left_out.csv` in the corpus' folder, columns source and reason. "keep": the same, but clipped ones, which
            are intelligible, are kept; the list says so. "refuse": no corpus, and an error that lists them all.

    Raises:
        UsageError: `faulty` is none of these; a label is not one of the corpus; there are faulty recordings, and
            `faulty` is "refuse"; or all recordings of a label in a split are faulty.
    """
    known("value of faulty", faulty, FAULTY)
    unknown = sorted({item.label for item in items} - set(info.labels))
    if unknown:
        raise UsageError(f"{info.name} has no label {', '.join(unknown)}, but {', '.join(info.labels)}.")
    faults: dict[str, str] = {}  # source -> reason
    copies = Copies(info.labels)
    examples = copies.watched(_examples(items, info, faulty, faults))
    corpus = write_corpus(folder, info, examples, len(items), finish=lambda scratch: write_list(scratch, faults))
    if faults:
        typer.echo(summary("faulty recordings", faults, corpus.folder), err=True)
    copies.tell()
    return tell_missing(corpus)


def _examples(items: Sequence[Item], info: CorpusInfo, faulty: str, faults: dict[str, str]) -> Iterator[Example]:
    """The usable items; what is wrong with the others, and with kept ones, is added to `faults`."""
    assert info.rate is not None
    empty = {(item.label, item.split) for item in items}
    for item in items:
        try:
            recording = read_recording(item.path, round(info.rate))
        except BadRecording as error:
            faults[item.source] = error.reason
            continue
        if recording.faults:
            kept = ", kept" if faulty == "keep" else ""
            faults[item.source] = ", ".join(recording.faults) + kept
            if not kept:
                continue
        empty.discard((item.label, item.split))
        label = info.labels.index(item.label)
        yield Example(recording.samples, item.split, item.source, label, speaker=item.speaker)
    if faulty == "refuse" and faults:
        listed = "\n".join(f"  {source}: {reason}" for source, reason in faults.items())
        raise UsageError(
            f"{info.name}: {len(faults):,} of {len(items):,} recordings are faulty. Mend or remove them, or choose "
            f"faulty=leave_out:\n{listed}"
        )
    if empty:
        lost = ", ".join(f"{label} for {split}" for label, split in sorted(empty))
        raise UsageError(
            f"{info.name}: no recording would be left of {lost}, since all are faulty. Mend or remove these, or add "
            f"others:\n{count_reasons(faults)}"
        )
