"""Prepares GRID, sentences such as "bin blue at f five again" by 33 faces, as a corpus: `python data_prep/grid.py`.

1,000 sentences of 3 s by each speaker, at 25 frames per second; there is no video of s21. Two tasks: the words, cut out
one by one, or the whole sentences. For the ways to split see `data_prep/lips/grid_protocols.py`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from data_prep.left_out import LeftOut
from data_prep.lips.clips import Clip
from data_prep.lips.grid_files import Files, Sentence, choose_speakers, find_alignments, find_videos, read_sentence
from data_prep.lips.grid_protocols import check_protocol, is_kept, split_sentences
from data_prep.lips.mouth_corpus import write_mouths
from data_prep.lips.words import Cutting
from data_prep.prepared import file_state, load_prepared
from data_prep.script import command_line, write_flags
from data_prep.splits import digest
from data_prep.unpack import fetch_unpacked
from sigconv.corpus import Corpus, CorpusInfo, Example
from sigconv.errors import UsageError
from sigconv.signals.lips.grammar import GRID_GRAMMAR, GRID_WORDS
from sigconv.signals.lips.mouths import MouthReader, Mouths

PLACE = "https://zenodo.org/records/3625687/files"
SPEAKERS = tuple(f"s{number}" for number in range(1, 35) if number != 21)
SLACK = 3  # frames by which an alignment may extend beyond its video

INFO = CorpusInfo(
    name="GRID",
    kind="video",
    dtype="uint8",
    labels=GRID_WORDS,
    rate=25,
    terms="CC BY 4.0",
    citation="M. Cooke, J. Barker, S. Cunningham, X. Shao: An audio-visual corpus for speech perception and automatic "
    "speech recognition. JASA 120(5):2421-2424, 2006.",
    command="python data_prep/grid.py",
    grammar=GRID_GRAMMAR,
)


@dataclass(frozen=True)
class Take:
    """A clip, what is said in it, and its split."""

    clip: Clip
    sentence: Sentence
    split: str


@dataclass(frozen=True)
class Raw:
    """The videos and the alignments of each speaker, and the `file_state` of both."""

    videos: Files
    alignments: Files
    state: str


def prepare(
    folder: str | Path = "data/grid",
    source: str | Path | None = None,
    speakers: str | Sequence[str] | None = None,
    task: str = "words",
    context: bool = True,
    seconds: float | None = 0.8,
    split: str = "speaker_dependent",
    share: float = 1.0,
    mouth: Mapping[str, Any] | None = None,
    workers: int | None = None,
) -> Corpus:
    """The corpus of a task, in its own folder in `folder`, created if it does not exist: uint8 (C, T, height, width).

    Downloads stay in `folder/raw`, and the cropped mouths in `folder/mouths`: they serve every corpus. A clip without a
    usable alignment, or in which no mouth is found, is left out and listed in `left_out.csv`.

    Args:
        source: the unpacked dataset, a folder for each speaker, or the folder of one: see `find_videos`. A different
            set of clips gives a different corpus. Without it, what the speakers need is downloaded.
        speakers: such as "s1,s2" or a list; by default all that there are.
        task: "words": each word is an example, and the corpus has labels. "sentences": each clip is one, with a text.
        context: for words, whether to cut out `seconds` around each, shifted to lie within the clip if needed; or the
            word's frames alone.
        seconds: length of a word with its context.
        split: "speaker_dependent", "fold:0" to "fold:4", "overlapped" or "unseen", see `split_sentences`.
        share: of the training clips that is kept, for learning curves; a smaller share is a subset of a larger one.
        mouth: settings of `MouthReader`.
        workers: processes that crop; by default one per core.

    Raises:
        UsageError: there is no such task, split, share or speaker; the download fails; the source holds something else;
            a split would be empty; the corpus' folder holds a damaged corpus, one of the files as they were before, or
            something else.
    """
    reader = MouthReader(**(mouth or {}))
    cutting = Cutting(task, context, seconds, reader.rate, GRID_WORDS)
    given = find_videos(Path(source)) if source else {}
    chosen = choose_speakers(speakers, tuple(given) or SPEAKERS)
    check_protocol(split, share, chosen)
    options = {**cutting.options, "split": split, "share": share, "speakers": chosen, **asdict(reader)}
    command = f"{INFO.command} {write_flags(options)}"
    raw = find_raw(Path(source), given, chosen) if source else None
    states = {"source": raw.state} if raw else {}
    info = replace(INFO, labels=cutting.labels, rate=reader.rate, reader=asdict(reader), command=command, states=states)
    kind = f"{task}_{'context' if context else 'alone'}" if task == "words" else task
    names = sorted(f"{speaker}/{name}" for speaker in chosen for name in given.get(speaker, ()))
    place = Path(folder, f"{kind}_{split.replace(':', '_')}_{digest(info.command, *names)[:8]}")
    corpus = load_prepared(place, info)
    if corpus:
        return corpus
    if raw is None:
        root = download(Path(folder, "raw"), chosen)
        raw = find_raw(root, find_videos(root), chosen)
    takes, left_out = find_takes(raw, split, share)

    def cut(clip: Clip, mouths: Mouths) -> Iterator[Example]:
        take = takes[clip.source]
        if take.sentence.end * reader.rate > mouths.frames.shape[1] + SLACK:
            raise LeftOut("alignment ends after the video")
        return cutting(Example(mouths.frames, take.split, clip.source, speaker=clip.speaker), take.sentence.words)

    clips = [take.clip for take in takes.values()]
    crops, cure = Path(folder, "mouths"), "take another split"
    return write_mouths(place, info, clips, reader, crops, cut, left_out=left_out, cure=cure, workers=workers)


def download(raw: Path, speakers: Sequence[str]) -> Path:
    """Fetches the alignments and these speakers' videos into `raw`, and returns it; a zip has its own checksums."""
    for name in ("alignments", *speakers):
        fetch_unpacked(f"{PLACE}/{name}.zip?download=1", raw / name, None)
    return raw


def find_raw(root: Path, there: Files, speakers: Sequence[str]) -> Raw:
    """What `root` has of the speakers; `there` are all its videos. Raises UsageError if one has no video."""
    videos: Files = {speaker: there.get(speaker, {}) for speaker in speakers}
    silent = [speaker for speaker, clips in videos.items() if not clips]
    if silent:
        raise UsageError(f"{root} holds no videos of {', '.join(silent)}: delete their folders, and run again.")
    alignments = find_alignments(root, videos)
    files = (path for found in (*videos.values(), *alignments.values()) for path in found.values())
    return Raw(videos, alignments, file_state(root.resolve(), files))


def find_takes(raw: Raw, split: str, share: float) -> tuple[dict[str, Take], dict[str, str]]:
    """The takes to crop, and the reasons why other clips are left out, both by source, such as "s1/bbaf5a"."""
    sentences: dict[tuple[str, str], Sentence] = {}
    left_out = {}
    for speaker, clips in raw.videos.items():
        for name in clips:
            try:
                sentences[speaker, name] = read_sentence(raw.alignments[speaker].get(name))
            except LeftOut as reason:
                left_out[f"{speaker}/{name}"] = str(reason)
    takes = {}
    for (speaker, name), part in split_sentences(sentences, split).items():
        if part != "train" or is_kept(name, share):
            clip = Clip(raw.videos[speaker][name], f"{speaker}/{name}", speaker)
            takes[clip.source] = Take(clip, sentences[speaker, name], part)
    return takes, left_out


main = command_line(prepare, mouth=MouthReader)

if __name__ == "__main__":
    main()
