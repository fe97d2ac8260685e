"""Prepares Google's Speech Commands v0.02, 105,829 one-second words: `python data_prep/speech_commands.py`.

P. Warden: Speech Commands: a dataset for limited-vocabulary speech recognition. arXiv:1804.03209, 2018. A corpus is
made for a task: all 35 words, the 12 classes of the published figures, or any words, with or without the classes
"unknown", which stands for all other words, and "silence", which is cut from the recordings of background noise.

Two test sets of the 12 classes are in use, and a model scores differently on them: the speakers that the hash rule sets
aside (test=hash), and a separate archive (test=official), on which published figures are usually measured.
"""

import hashlib
import math
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import typer

from data_prep.prepared import load_prepared, with_sources
from data_prep.raw_files import files_in
from data_prep.script import command_line
from data_prep.speech.hash_split import RULE, RULE_WITHOUT_TEST, Rule, check_lists, part, speaker
from data_prep.speech.recordings import Item, check_splits, write_recordings
from data_prep.speech.silence import cut_silence
from data_prep.splits import SPLITS
from data_prep.unpack import fetch_unpacked
from sigconv.corpus import Corpus, CorpusInfo
from sigconv.errors import UsageError
from sigconv.names import listed

PLACE = "http://download.tensorflow.org/data/"
ARCHIVES = {  # sha256: those that TensorFlow Datasets and torchaudio check
    "speech_commands_v0.02": "af14739ee7dc311471de98f5f9d2c9191b18aedfe957f4a6ff791c709868ff58",
    "speech_commands_test_set_v0.02": "cc2a00c1147c2254e9be3fa0f779d8c17421dc349b86366567a8edfa9acd51df",
}
CORPUS, TEST_SET = ARCHIVES
RATE = 16_000
UNKNOWN, SILENCE = "unknown", "silence"
NOISE = "_background_noise_"
WORDS = (
    *("backward", "bed", "bird", "cat", "dog", "down", "eight", "five", "follow", "forward", "four", "go", "happy"),
    *("house", "learn", "left", "marvin", "nine", "no", "off", "on", "one", "right", "seven", "sheila", "six", "stop"),
    *("three", "tree", "two", "up", "visual", "wow", "yes", "zero"),
)
COMMANDS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
TASKS = {"all": WORDS, "twelve": (*COMMANDS, UNKNOWN, SILENCE)}

INFO = CorpusInfo(
    name="Speech Commands v0.02",
    kind="audio",
    dtype="int16",
    labels=(),
    rate=RATE,
    terms="CC BY 4.0",
    citation="P. Warden: Speech Commands: a dataset for limited-vocabulary speech recognition. arXiv:1804.03209, 2018.",
    command="python data_prep/speech_commands.py",
)


@dataclass(frozen=True)
class Word:
    """A recording of one word; `source` is its path in the corpus, such as "up/0a7c2a8d_nohash_0.wav"."""

    path: Path
    source: str
    word: str
    speaker: str


def prepare(
    folder: str | Path = "data/speech_commands",
    source: str | Path | None = None,
    words: str | Sequence[str] = "all",
    test: str = "hash",
    test_source: str | Path | None = None,
    faulty: str = "keep",
) -> Corpus:
    """The corpus of a task, in its own folder in `folder`, created if it does not exist: int16 at 16 kHz, up to 1 s.

    Each split has as many recordings of "unknown", and of "silence", as of a word on average (if there are that many):
    with ten words, that is the official 10 %. Train, validation and test are split by speaker, by the corpus' own hash
    rule, which must agree with its lists if they are there. If the rule leaves no test recordings, its validation
    speakers become the test split, and a further tenth of the speakers the validation split.

    Downloads stay in `folder/raw`, and serve every task.

    Args:
        source: the unpacked corpus, or a part of it. Without one, version 0.02 is downloaded (2.4 GB).
        words: "all", "twelve", or words of one's own, which may include "unknown" and "silence": a list, or a text
            with commas.
        test: the test split: "hash", by the rule; or "official", the archive of 4,890 recordings for the 12 classes.
        test_source: that archive, unpacked. Without it, it is downloaded (0.1 GB).
        faulty: what becomes of faulty recordings, "leave_out", "keep" (the clipped ones) or "refuse": see
            `write_recordings`. Unlike elsewhere, clipped ones are kept, so that the test set is the one that others
            use.

    Raises:
        UsageError: a word, or the noise for "silence", is not there; the lists contradict the rule; a split would be
            empty; the official test is of another task; the download fails; the corpus' folder holds a damaged corpus,
            one from another source or from this one as it was before, or something else.
    """
    task, labels = read_task(words)
    _check_test(labels, test, test_source)
    place = Path(folder, task if test == "hash" else f"{task}_official_test")
    named = task if task in TASKS else ",".join(labels)
    command = f"{INFO.command} --words {named} --test {test} --faulty {faulty}"
    info = replace(INFO, labels=labels, command=command)
    info = with_sources(
        info, lambda given: files_in(sorted(given.glob("*")), ".wav"), source=source, test_source=test_source
    )
    corpus = load_prepared(place, info)
    if corpus:
        return corpus
    raw = Path(folder, "raw")
    root = Path(source) if source else _download(CORPUS, raw)
    recordings = find_recordings(root, labels)
    if test == "official":
        official = list_official_test(Path(test_source) if test_source else _download(TEST_SET, raw), labels)
        items = [item for item in list_items(recordings, labels, RULE) if item.split != "test"] + official
        tested = "official test set"
    else:
        rule, tested = _choose_rule(root, recordings)
        items = list_items(recordings, labels, rule)
    check_splits(items, root, "the hash rule")
    with tempfile.TemporaryDirectory() as scratch:
        if SILENCE in labels:
            items += cut_silence(root / NOISE, count_silence(items, labels), SILENCE, RATE, Path(scratch))
        return write_recordings(place, replace(info, name=f"{info.name}, {tested}"), items, faulty=faulty)


def read_task(words: str | Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """The name of a task, which is that of its folder, and its classes."""
    if isinstance(words, str) and words in TASKS:
        return words, TASKS[words]
    labels = listed(words)
    if not set(labels) - {UNKNOWN, SILENCE}:
        raise UsageError(f"words is {words!r}: name a word, beside {UNKNOWN} and {SILENCE}; or {' or '.join(TASKS)}.")
    return "_".join(labels), labels


def _check_test(labels: tuple[str, ...], test: str, test_source: str | Path | None) -> None:
    if test not in ("hash", "official"):
        raise UsageError(f"test is {test!r}, but it must be hash or official.")
    if test == "official" and set(labels) != set(TASKS["twelve"]):
        raise UsageError(f"The official test set is for words=twelve, not for {', '.join(labels)}: take test=hash.")
    if test == "hash" and test_source:
        raise UsageError(f"The test set in {test_source} is for test=official, but test is hash.")


def _download(name: str, raw: Path) -> Path:
    return fetch_unpacked(f"{PLACE}{name}.tar.gz", raw / name, f"sha256:{ARCHIVES[name]}")


def _choose_rule(root: Path, recordings: Sequence[Word]) -> tuple[Rule, str]:
    """The hash rule that gives a test split, and a few words on that split for the corpus' name."""
    if any(part(r.speaker) == "test" for r in recordings):
        return RULE, "test by the hash rule"
    typer.echo(
        f"By the corpus' hash rule {root} has no test speakers: its validation speakers become the test split, and a "
        "further tenth of all speakers the validation split.",
        err=True,
    )
    return RULE_WITHOUT_TEST, "tested on its validation speakers"


def find_recordings(root: Path, labels: Iterable[str]) -> list[Word]:
    """All recordings in an unpacked corpus, of the labels' words and of others, sorted by path.

    Raises UsageError: one of the words is not there, or, for "unknown", no other; or the lists contradict the rule.
    """
    paths = files_in(sorted(root.glob("[!_.]*")), ".wav")
    recordings = [Word(path, f"{path.parent.name}/{path.name}", path.parent.name, speaker(path.name)) for path in paths]
    words, there = set(labels) - {UNKNOWN, SILENCE}, {r.word for r in recordings}
    if words - there:
        raise UsageError(
            f"{root} has no recordings of {', '.join(sorted(words - there))}; it should be the unpacked corpus, with a "
            f"folder of wav files for each word. There are: {', '.join(sorted(there)) or 'none'}."
        )
    if UNKNOWN in labels and words == there:
        raise UsageError(f"{root} has no other words to stand for {UNKNOWN!r}: leave it out of the words.")
    check_lists(root, (r.source for r in recordings))
    return recordings


def list_items(recordings: Sequence[Word], labels: Sequence[str], rule: Rule) -> list[Item]:
    """The recordings of the labels' words, and some of the others for "unknown": those whose names' sha1 come first."""
    items = []
    for split in SPLITS:
        here = [r for r in recordings if part(r.speaker, rule) == split]
        chosen = [(r, r.word) for r in here if r.word in labels]
        if UNKNOWN in labels:
            others = [r for r in here if r.word not in labels]
            others.sort(key=lambda r: hashlib.sha1(r.source.encode()).digest())
            chosen += [(r, UNKNOWN) for r in others[: _share(len(chosen), labels)]]
        items += [Item(r.path, r.source, label, split, r.speaker) for r, label in chosen]
    return items


def _share(known: int, labels: Sequence[str]) -> int:
    """How many recordings of "unknown" or "silence" go with those of the words: as many as of a word on average."""
    return math.ceil(known / len(set(labels) - {UNKNOWN, SILENCE}))


def list_official_test(root: Path, labels: Sequence[str]) -> list[Item]:
    """The recordings of the test archive: a folder for each class, _unknown_ and _silence_ among them."""
    items = []
    for label in labels:
        name = f"_{label}_" if label in (UNKNOWN, SILENCE) else label
        paths = files_in([root / name], ".wav")
        if not paths:
            raise UsageError(f"{root} has no recordings in {name}: it should be the unpacked {TEST_SET}.")
        for path in paths:
            who = None if label == SILENCE else speaker(path.name)
            items.append(Item(path, f"{TEST_SET}/{name}/{path.name}", label, "test", who))
    return items


def count_silence(items: Sequence[Item], labels: Sequence[str]) -> dict[str, int]:
    """How many recordings of "silence" each split lacks."""
    counts = {}
    for split in SPLITS:
        here = [item.label for item in items if item.split == split]
        words = sum(label not in (UNKNOWN, SILENCE) for label in here)
        counts[split] = 0 if SILENCE in here else _share(words, labels)
    return counts


main = command_line(prepare)

if __name__ == "__main__":
    main()
