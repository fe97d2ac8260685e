"""Prepares the Free Spoken Digit Dataset, 3,000 English digits by six speakers: `python data_prep/fsdd.py`.

Two protocols: the official split, which shares its speakers between training and test, and one speaker left out.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from data_prep.prepared import load_prepared, with_sources
from data_prep.raw_files import files_in
from data_prep.script import command_line
from data_prep.speech.recordings import Item, check_splits, write_recordings
from data_prep.unpack import fetch_unpacked
from sigconv.corpus import Corpus, CorpusInfo
from sigconv.errors import UsageError
from sigconv.names import named
from sigconv.words import first_few

VERSION = "1.0.10"
URL = f"https://github.com/Jakobovski/free-spoken-digit-dataset/archive/refs/tags/v{VERSION}.tar.gz"
COUNT = 3_000
# `content_hash` of this version's recordings: the server packs the archive itself, whose bytes may change.
CONTENT = "dbd573d7cafe79c4b49f65718115e1304e24e067fa39eff18a660dc6cb9c360f"
RATE = 8_000
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
NAME = re.compile(r"(?P<digit>\d)_(?P<speaker>[^_]+)_(?P<take>\d+)")

INFO = CorpusInfo(
    name="FSDD",
    kind="audio",
    dtype="int16",
    labels=DIGITS,
    rate=RATE,
    terms="CC BY-SA 4.0",
    citation="Z. Jackson, C. Souza, J. Flaks, Y. Pan, H. Nicolas, A. Thite: Jakobovski/free-spoken-digit-dataset. "
    "Zenodo, 2018, doi:10.5281/zenodo.1342401.",
    command="python data_prep/fsdd.py",
)


def prepare(
    folder: str | Path = "data/fsdd",
    source: str | Path | None = None,
    split: str = "official",
    faulty: str = "leave_out",
) -> Corpus:
    """The corpus of a split, in `folder/official` or `folder/speaker_theo`, created if it does not exist: int16, 8 kHz.

    Downloads stay in `folder/raw`, and serve every split.

    Args:
        source: the unpacked dataset, or its folder `recordings`, of any version, taken as it is. Without one, version
            1.0.10 is downloaded, and must be complete.
        split: "official" tests on takes 0 to 4 of each digit and speaker; "speaker:theo" tests on all that theo says.
            Of the rest, takes 5 to 9 are for validation.
        faulty: what becomes of faulty recordings, "leave_out", "keep" (the clipped ones) or "refuse": see
            `write_recordings`.

    Raises:
        UsageError: there is no such split or speaker; the download fails; the source holds something else; the
            corpus' folder holds a damaged corpus, one from another source or from this one as it was before, or
            something else.
    """
    command = f"{INFO.command} --split {split} --faulty {faulty}"
    info = with_sources(replace(INFO, command=command), find_recordings, source=source)
    place = Path(folder, split.replace(":", "_"))
    corpus = load_prepared(place, info)
    if corpus:
        return corpus
    recordings = find_recordings(Path(source)) if source else download(Path(folder, "raw"))
    return write_recordings(place, info, list_items(recordings, split), faulty=faulty)


def download(raw: Path) -> list[Path]:
    """The recordings of version 1.0.10, downloaded into `raw` if they are not there, and checked."""
    unpacked = fetch_unpacked(URL, raw / f"fsdd-{VERSION}", None)
    recordings = find_recordings(unpacked)
    found = content_hash(recordings)
    if found != CONTENT:
        raise UsageError(
            f"{unpacked} does not hold version {VERSION} of FSDD: {len(recordings):,} recordings with the hash "
            f"{found}, not {COUNT:,} with {CONTENT}. Delete {raw} and run again; or, to take them as they are, give "
            f"--source {unpacked}."
        )
    return recordings


def find_recordings(source: Path) -> list[Path]:
    """The wav files in `source` itself, or in a folder `recordings` in it or in one of its subfolders."""
    folders = [source, source / "recordings", *source.glob("*/recordings")]
    paths = [files_in([folder], ".wav") for folder in folders]
    if not any(paths):
        raise UsageError(
            f"There are no recordings of FSDD in {source}: it should be the unpacked dataset, or its folder "
            "recordings, with wav files such as 7_jackson_32.wav."
        )
    return next(filter(None, paths))


def content_hash(recordings: Sequence[Path]) -> str:
    """sha256 over the names and the sha256 of each file, sorted by name."""
    lines = sorted(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n" for path in recordings)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def list_items(recordings: Sequence[Path], split: str) -> list[Item]:
    """Each recording with its digit, speaker and split."""
    names = [NAME.fullmatch(path.stem) for path in recordings]
    strange = [path.name for path, name in zip(recordings, names, strict=True) if not name]
    if strange:
        raise UsageError(
            f"{len(strange):,} files in {recordings[0].parent} are not named like those of FSDD, "
            f"digit_speaker_take.wav: {first_few(strange)}. Take them away, or prepare them with "
            "data_prep/folder.py."
        )
    fields = [name.groupdict() for name in names if name]
    speakers = sorted({field["speaker"] for field in fields})
    left_out = named("split of FSDD", split, {"official": None} | {f"speaker:{name}": name for name in speakers})
    items = []
    for path, field in zip(recordings, fields, strict=True):
        part = _part(int(field["take"]), field["speaker"], left_out)
        digit = DIGITS[int(field["digit"])]
        items.append(Item(path, f"recordings/{path.name}", digit, part, field["speaker"]))
    return check_splits(items, recordings[0].parent)


def _part(take: int, speaker: str, left_out: str | None) -> str:
    tested = take < 5 if left_out is None else speaker == left_out
    if tested:
        return "test"
    return "validation" if 5 <= take < 10 else "train"


main = command_line(prepare)

if __name__ == "__main__":
    main()
