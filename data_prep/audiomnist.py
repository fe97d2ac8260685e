"""Prepares AudioMNIST, 30,000 English digits by 60 speakers, as a corpus: `python data_prep/audiomnist.py`.

The splits share no speakers: they are the five folds for digits by the dataset's authors.
"""

import re
from dataclasses import replace
from pathlib import Path

from data_prep.fsdd import DIGITS
from data_prep.prepared import load_prepared, with_sources
from data_prep.raw_files import files_in
from data_prep.script import command_line
from data_prep.speech.recordings import Item, check_splits, write_recordings
from data_prep.unpack import fetch_unpacked
from sigconv.corpus import Corpus, CorpusInfo
from sigconv.errors import UsageError
from sigconv.names import named
from sigconv.words import first_few

URL = "https://github.com/soerenab/AudioMNIST/archive/refs/heads/master.tar.gz"
SPEAKERS, TAKES = 60, 50
RATE = 16_000  # the originals are at 48 kHz
NAME = re.compile(r"(?P<digit>\d)_(?P<speaker>\d\d)_(?P<take>\d+)")

# Five groups of twelve speakers. Fold k trains on groups k, k + 1 and k + 2 (modulo 5), validates on k + 3 and tests on
# k + 4: audiomnist/train/splits.py of the dataset's repository, "digit".
GROUPS = (
    (1, 6, 7, 16, 19, 23, 28, 34, 35, 46, 53, 56),
    (2, 8, 9, 17, 24, 29, 36, 37, 39, 48, 54, 57),
    (3, 10, 14, 20, 25, 30, 38, 40, 43, 49, 55, 58),
    (4, 11, 12, 15, 21, 27, 31, 41, 44, 47, 50, 59),
    (5, 13, 18, 22, 26, 32, 33, 42, 45, 51, 52, 60),
)
PARTS = ("train", "train", "train", "validation", "test")

INFO = CorpusInfo(
    name="AudioMNIST",
    kind="audio",
    dtype="int16",
    labels=DIGITS,
    rate=RATE,
    terms="MIT",
    citation="S. Becker, J. Vielhaben, M. Ackermann, K.-R. Müller, S. Lapuschkin, W. Samek: AudioMNIST: Exploring "
    "explainable artificial intelligence for audio analysis on a simple benchmark. Journal of the Franklin Institute "
    "361(1):418-428, 2024 (arXiv:1807.03418).",
    command="python data_prep/audiomnist.py",
)


def prepare(
    folder: str | Path = "data/audiomnist",
    source: str | Path | None = None,
    split: str = "fold:0",
    faulty: str = "leave_out",
) -> Corpus:
    """The corpus of a fold, in `folder/fold_0` to `folder/fold_4`, created if it does not exist: int16, 16 kHz.

    Downloads stay in `folder/raw`, and serve every fold.

    Args:
        source: the unpacked dataset, or its folder `data`, taken as it is. Without one, the dataset is downloaded, and
            must be complete.
        split: "fold:0" to "fold:4". Each trains on 36 speakers, validates on 12 and tests on 12.
        faulty: what becomes of faulty recordings, "leave_out", "keep" (the clipped ones) or "refuse": see
            `write_recordings`.

    Raises:
        UsageError: there is no such fold; the download fails; the source holds something else; the corpus' folder
            holds a damaged corpus, one from another source or from this one as it was before, or something else.
    """
    parts = split_speakers(split)
    command = f"{INFO.command} --split {split} --faulty {faulty}"
    info = with_sources(replace(INFO, command=command), lambda given: _recordings(find_data(given)), source=source)
    place = Path(folder, split.replace(":", "_"))
    corpus = load_prepared(place, info)
    if corpus:
        return corpus
    data = find_data(Path(source)) if source else download(Path(folder, "raw"))
    return write_recordings(place, info, list_items(data, parts), faulty=faulty)


def split_speakers(split: str) -> dict[str, str]:
    """The split of each speaker, by name: "01" to "60"."""
    folds = {f"fold:{fold}": fold for fold in range(len(GROUPS))}
    fold = named("split of AudioMNIST", split, folds)
    groups = GROUPS[fold:] + GROUPS[:fold]
    return {f"{speaker:02d}": part for part, group in zip(PARTS, groups, strict=True) for speaker in group}


def download(raw: Path) -> Path:
    """The folder of the recordings, downloaded into `raw` if missing; raises UsageError if they are incomplete."""
    unpacked = fetch_unpacked(URL, raw / "audiomnist", None)
    data = find_data(unpacked)
    count = len(_recordings(data))
    expected = SPEAKERS * TAKES * len(DIGITS)
    if count != expected:
        raise UsageError(
            f"{unpacked} holds {count:,} recordings, but AudioMNIST has {expected:,}. Delete {raw} and run again; "
            f"or, to take them as they are, give --source {unpacked}."
        )
    return data


def find_data(source: Path) -> Path:
    """The folder that has a folder for each speaker: `source`, or `data` in it or in one of its subfolders."""
    for data in (source, source / "data", *source.glob("*/data")):
        if _recordings(data):
            return data
    raise UsageError(
        f"There are no recordings of AudioMNIST in {source}: it should be the unpacked dataset, or its folder data, "
        "with wav files such as 01/7_01_32.wav."
    )


def _recordings(data: Path) -> list[Path]:
    return files_in(sorted(data.glob("[0-9][0-9]")), ".wav")


def list_items(data: Path, parts: dict[str, str]) -> list[Item]:
    """Each recording with its digit, speaker and split."""
    items: list[Item] = []
    strange: list[str] = []
    for path in _recordings(data):
        name = NAME.fullmatch(path.stem)
        if not name or name["speaker"] not in parts:
            strange.append(str(path.relative_to(data)))
            continue
        speaker = name["speaker"]
        source = f"data/{path.parent.name}/{path.name}"
        items.append(Item(path, source, DIGITS[int(name["digit"])], parts[speaker], speaker))
    if strange:
        raise UsageError(
            f"{len(strange):,} files in {data} are not named like those of AudioMNIST, digit_speaker_take.wav with a "
            f"speaker from 01 to {SPEAKERS}: {first_few(strange)}. Take them away, or prepare them with "
            "data_prep/folder.py."
        )
    return check_splits(items, data)


main = command_line(prepare)

if __name__ == "__main__":
    main()
