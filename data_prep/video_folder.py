"""Prepares the user's own clips of talking faces as a corpus: `python data_prep/video_folder.py PATH`."""

import re
import shlex
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer

from data_prep.class_folders import (
    File,
    assign_splits,
    check_formats,
    check_place,
    corpus_folder,
    find_speakers,
    has_kind,
    select,
    sort_into_classes,
    without_classes,
)
from data_prep.lips.clips import Clip
from data_prep.lips.mouth_corpus import write_mouths
from data_prep.lips.words import TASKS
from data_prep.prepared import file_state, load_prepared
from data_prep.raw_files import list_files
from data_prep.script import command_line, write_flags
from data_prep.splits import check_shares, digest
from sigconv.corpus import Corpus, CorpusInfo, Example
from sigconv.errors import UsageError
from sigconv.names import known
from sigconv.signals.lips.mouths import MouthReader, Mouths
from sigconv.signals.lips.video import READABLE
from sigconv.signals.speech.soundfiles import READABLE as SOUND
from sigconv.words import first_few

APOSTROPHES = dict.fromkeys(map(ord, "\N{LEFT SINGLE QUOTATION MARK}\N{RIGHT SINGLE QUOTATION MARK}"), "'")
QUOTATION = re.compile(r"(?<!\S)'+((?:(?!\s'\S).)*?)'+(?!\S)")  # in which no other one begins
DIVIDE = "divide the clips otherwise among folders train, validation and test"


def prepare(
    root: str | Path,
    folder: str | Path | None = None,
    task: str = "words",
    validation: float = 0.1,
    test: float = 0.1,
    speaker: str | None = None,
    mouth: Mapping[str, Any] | None = None,
    workers: int | None = None,
) -> Corpus:
    """The corpus of the clips below `root`, created if it does not exist: uint8 (C, T, height, width).

    Folders, classes, splits and speakers are as in `data_prep.folder.prepare`. The cropped mouths are kept beside the
    corpus, in the folder `mouths`. A clip in which no mouth is found is left out and listed in `left_out.csv`.

    Args:
        root: the folder with the clips.
        folder: of the corpus; by default `data/video_folder_<name of root>_<hash>`, with a hash of the files and of
            all these options: when something changes, there is a new corpus beside the old one.
        task: "words": a subfolder is a class. "sentences": beside each clip there is a text file, as hello.txt beside
            hello.mp4, with what is said; it is lower-cased, and punctuation other than apostrophes is removed.
        validation: share of the clips (of the speakers, if they are known) for validation.
        test: share for testing.
        speaker: regular expression with one group that finds the speaker in a file's name. Splits drawn by
            hash then share no speakers.
        mouth: settings of `MouthReader`.
        workers: processes that crop; by default one per core.

    Raises:
        UsageError: `root` is not organised like that, or the corpus would be within it; a class has fewer than three
            clips, or none for some split; the corpus' folder holds something else, or a corpus of the files as they
            were before.
    """
    known("task", task, TASKS)
    check_shares(validation, test)
    root = Path(root).resolve()
    reader = MouthReader(**(mouth or {}))
    check_place(root, folder)
    said = find_clips(root, task)
    files = list(said)
    speakers = find_speakers(files, speaker)
    chosen = {"task": task, "validation": validation, "test": test, "speaker": speaker, **asdict(reader)}
    info = _describe(root, said, reader, write_flags(chosen))
    place = corpus_folder(folder, "video_folder", info)
    corpus = load_prepared(place, info)
    if corpus:
        return corpus
    splits = assign_splits(files, speakers, validation, test)
    labels = {file.source: info.labels.index(file.label) for file in files if file.label}
    texts = {file.source: read_text(text, file.path.name) for file, text in said.items() if text}
    _tell_unlearned(info.name, texts, splits)
    clips = [Clip(file.path, file.source, speakers.get(file.source)) for file in files]

    def cut(clip: Clip, mouths: Mouths) -> Iterator[Example]:
        source = clip.source
        yield Example(mouths.frames, splits[source], source, labels.get(source), texts.get(source), clip.speaker)

    crops = place.parent / "mouths" / f"{info.name}_{digest(str(root))[:8]}"
    return write_mouths(place, info, clips, reader, crops, cut, left_out={}, cure=DIVIDE, workers=workers)


def _describe(root: Path, said: Mapping[File, Path | None], reader: MouthReader, flags: str) -> CorpusInfo:
    used = [file.path for file in said] + [text for text in said.values() if text]
    return CorpusInfo(
        name=root.name,
        kind="video",
        dtype="uint8",
        labels=tuple(sorted({file.label for file in said if file.label})),
        rate=reader.rate,
        terms="those of the recordings",
        citation=f"recordings in {root}",
        command=f"python data_prep/video_folder.py {shlex.quote(str(root))} {flags}",
        reader=asdict(reader),
        states={"root": file_state(root, used)},
    )


def find_clips(root: Path, task: str) -> dict[File, Path | None]:
    """The video files below `root`, for sentences each with the text beside it; skips others, and prints how many."""
    files = list_files(root)
    if has_kind(files, SOUND) and not has_kind(files, READABLE):
        raise UsageError(f"{root} holds sound and no video: take data=folder, or data_prep/folder.py, to hear it.")
    if task == "words":
        return dict.fromkeys(sort_into_classes(root, check_formats(select(root, files, READABLE))))
    texts = {path.with_suffix(""): path for path in files if path.suffix.lower() == ".txt"}
    clips = check_formats(select(root, files, READABLE, used=texts.values()))
    without = [str(path) for path in clips if path.with_suffix("") not in texts]
    if without or not clips:
        raise UsageError(
            f"In {root} there should be clips, and beside each a text file of the same name, as hello.txt beside "
            f"hello.mp4, with what is said. Of {len(clips):,} clips {len(without):,} have none: "
            f"{first_few(without) or 'there are no clips'}."
        )
    return {file: root / texts[Path(file.source).with_suffix("")] for file in without_classes(root, clips)}


def _tell_unlearned(name: str, texts: Mapping[str, str], splits: Mapping[str, str]) -> None:
    """Prints the words that train lacks: before the cropping, since a recipe with tokens=words refuses them after it.

    Args:
        texts, splits: by source.
    """
    learned = {word for source, text in texts.items() if splits[source] == "train" for word in text.split()}
    said = {word for text in texts.values() for word in text.split()}
    unlearned = sorted(said - learned)
    if unlearned:
        typer.echo(
            f"{name}: train lacks words that are said in validation or test: {first_few(unlearned)} "
            f"({len(unlearned):,} of {len(said):,} words). A recipe cannot take these with tokens=words: choose "
            f"tokens=characters, or {DIVIDE}.",
            err=True,
        )


def read_text(path: Path, clip: str) -> str:
    """What is said in a clip: words in lower case, with digits and apostrophes, separated by single spaces.

    Accents and vowel signs stay with their letters, composed (NFC), and what nobody sees, such as a soft hyphen, is
    deleted, so that a word has one spelling. Apostrophes around a word, or around several, are quotation marks; a lone
    one stays, as in 'twas or dogs'.
    """
    try:
        said = path.read_text("utf-8")
    except UnicodeDecodeError:
        said = None
    if said is None or "\0" in said:  # as in UTF-16 without a mark at its beginning
        raise UsageError(f"{path} is not UTF-8 text: save it again.")
    seen = "".join(letter for letter in said.lower().translate(APOSTROPHES) if unicodedata.category(letter) != "Cf")
    kept = "".join(letter if _is_spoken(letter) else " " for letter in unicodedata.normalize("NFC", seen))
    unquoted = QUOTATION.sub(r"\1", " ".join(kept.split()))
    words = [word for word in unquoted.split() if any(map(str.isalnum, word))]
    if not words:
        raise UsageError(f"{path} is empty: write into it what is said in {clip}.")
    return " ".join(words)


def _is_spoken(character: str) -> bool:
    """Whether it is a letter, a digit or an apostrophe, or belongs to the letter before it, as accents do."""
    return character.isalnum() or character == "'" or unicodedata.category(character)[0] == "M"


main = command_line(prepare, mouth=MouthReader)

if __name__ == "__main__":
    main()
