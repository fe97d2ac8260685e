"""What every corpus of mouths shares: clips in, a corpus out, with a list of those left out and a sheet to look at."""

import csv
import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import typer

from data_prep.copies import Copies
from data_prep.left_out import LeftOut, count_reasons, summary, write_list
from data_prep.lips.clips import Clip, crop_clips, load_mouths, store_name
from data_prep.lips.contact_sheet import MOST, Tile, draw_sheet
from data_prep.missing_classes import tell_missing
from data_prep.splits import empty_splits
from sigconv.corpus import Corpus, CorpusInfo, Example, write_corpus
from sigconv.errors import UsageError
from sigconv.signals.lips.mouths import MouthReader, Mouths
from sigconv.signals.lips.track import Quality

QUALITY, SHEET = "quality.csv", "contact_sheet.png"

# Makes the examples of a clip, or raises LeftOut.
Cut = Callable[[Clip, Mouths], Iterable[Example]]


class Found(NamedTuple):
    """How well the mouth was found in a clip."""

    clip: Clip
    quality: Quality
    notes: list[str]


def write_mouths(
    folder: Path,
    info: CorpusInfo,
    clips: Sequence[Clip],
    reader: MouthReader,
    crops: Path,
    cut: Cut,
    *,
    left_out: Mapping[str, str],
    cure: str,
    workers: int | None = None,
) -> Corpus:
    """Crops the clips, and writes the examples that `cut` makes from them as the corpus in `folder`.

    Beside the examples there are `quality.csv`, how well the mouth was found in each clip; `contact_sheet.png`, a
    mouth of each (of the 600 worst), the worst first; and `left_out.csv`, the clips left out and why.

    Args:
        crops: the folder where the cropped mouths are kept, for all corpora of these clips.
        left_out: source -> reason, for clips that are left out from the start.
        cure: how else a split gets clips, where none is left, than by adding or mending some: "take another split".
        workers: processes that crop.

    Raises:
        UsageError: nothing is left of train, validation or test; or see `crop_clips`.
    """
    store = crops / store_name(reader)
    reasons = {**left_out, **crop_clips(clips, reader, store, workers)}
    found: list[Found] = []

    def finish(scratch: Path) -> None:
        write_list(scratch, reasons)
        _write_quality(scratch, found)
        worst = heapq.nsmallest(MOST, found, key=lambda each: each.quality.score)
        tiles = [Tile(clip.source, quality, _middle(load_mouths(store, clip))) for clip, quality, _ in worst]
        cv2.imwrite(str(scratch / SHEET), draw_sheet(tiles, len(found)))

    copies = Copies(info.labels)
    examples = _in_all_splits(_examples(clips, store, cut, reasons, found), info.name, clips, reasons, cure)
    corpus = write_corpus(folder, info, copies.watched(examples), finish=finish)
    if reasons:
        typer.echo(summary("left out", reasons, corpus.folder), err=True)
    copies.tell()
    return tell_missing(corpus)


def _examples(
    clips: Iterable[Clip], store: Path, cut: Cut, reasons: dict[str, str], found: list[Found]
) -> Iterator[Example]:
    """The examples of the clips that fit; adds the others to `reasons`, and how well mouths were found to `found`."""
    for clip in clips:
        if clip.source in reasons:
            continue
        mouths = load_mouths(store, clip)
        try:
            examples = list(cut(clip, mouths))
        except LeftOut as reason:
            reasons[clip.source] = str(reason)
            continue
        found.append(Found(clip, mouths.quality, mouths.notes))
        yield from examples


def _in_all_splits(
    examples: Iterable[Example], name: str, clips: Iterable[Clip], reasons: Mapping[str, str], cure: str
) -> Iterator[Example]:
    """Passes the examples on; raises UsageError at their end if a split has none."""
    there = set()
    for example in examples:
        there.add(example.split)
        yield example
    empty = empty_splits(there)
    if empty:
        total = len(reasons.keys() | {clip.source for clip in clips})  # those left out from the start are in `reasons`
        raise UsageError(
            f"{name}: no clip is left for {', '.join(empty)}: there are {total:,}, and of them {len(reasons):,} are "
            f"left out. Add clips, mend these, or {cure}.\n{count_reasons(reasons)}"
        )


def _middle(mouths: Mouths) -> np.ndarray:
    return mouths.frames[:, mouths.frames.shape[1] // 2]


def _write_quality(folder: Path, found: Iterable[Found]) -> None:
    with open(folder / QUALITY, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["source", "found", "jitter", "eyes", "score", "notes"])
        for clip, q, notes in found:
            numbers = (f"{value:.4g}" for value in (q.found, q.jitter, q.eyes, q.score))
            writer.writerow([clip.source, *numbers, "; ".join(notes)])
