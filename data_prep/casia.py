"""Prepares CASIA's handwritten Chinese characters as a corpus: `python data_prep/casia.py --source FOLDER`.

HWDB1.1: 300 writers, 1,121,749 characters of 3,755 classes, available from the institute on request.
"""

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from data_prep.characters import CHARACTERS
from data_prep.missing_classes import tell_missing
from data_prep.prepared import load_prepared, with_sources
from data_prep.raw_files import is_hidden, list_files
from data_prep.script import command_line
from data_prep.splits import empty_splits, place
from sigconv.corpus import Corpus, CorpusInfo, Example, write_corpus
from sigconv.errors import UsageError
from sigconv.signals.image.characters import framed
from sigconv.signals.image.ink import in_full_tone
from sigconv.signals.image.picture import to_bytes

VALIDATION = 0.05  # of the training writers
_HEAD = struct.Struct("<I2sHH")  # bytes of the record, the character's code, width, height; then the pixels, paper 255

INFO = CorpusInfo(
    name="CASIA-HWDB1.1",
    kind="image",
    dtype="uint8",
    labels=CHARACTERS,
    rate=None,
    terms="for research only, on request from the institute",
    citation="C.-L. Liu, F. Yin, D.-H. Wang, Q.-F. Wang: CASIA online and offline Chinese handwriting databases. "
    "ICDAR 2011.",
    command="python data_prep/casia.py",
)


def prepare(folder: str | Path = "data/casia", source: str | Path | None = None) -> Corpus:
    """The corpus in `folder`, created if it does not exist: uint8 images (1, 48, 48), paper 0, ink up to 255.

    About a twentieth of the training writers, by the hash of their number, are for validation.

    Args:
        source: a folder with the unpacked `.gnt` files, one per writer; those for the test are in a folder with "tst"
            in its name.

    Raises UsageError: there is no source, no such file in it, or what `list_files` refuses; a split would be empty, a
        file is damaged, or `folder` holds a corpus from another source or from this one as it was before, or something
        else.
    """
    info = with_sources(INFO, find_files, source=source)
    prepared = load_prepared(Path(folder), info)
    if prepared is not None:
        return prepared
    if source is None:
        raise UsageError(
            "CASIA's characters are not to be downloaded by everybody: ask the institute for HWDB1.1, unpack its .gnt "
            "files, and name their folder as source. python data_prep/glyphs.py renders the same characters from fonts."
        )
    files = find_files(Path(source))
    if not files:
        raise UsageError(f"{source} holds no .gnt file.")
    splits = {file: _split(file) for file in files}
    empty = empty_splits(splits.values())
    if empty:
        raise UsageError(
            f"{source} has no writer for {' or '.join(empty)}: bring all files of HWDB1.1, those of the test "
            'in a folder with "tst" in its name, such as HWDB1.1tst_gnt.'
        )
    return tell_missing(write_corpus(folder, info, _examples(splits)))


def find_files(source: Path) -> list[Path]:
    return [source / path for path in list_files(source) if path.suffix.lower() == ".gnt" and not is_hidden(path)]


def _examples(splits: dict[Path, str]) -> Iterator[Example]:
    number = {character: i for i, character in enumerate(CHARACTERS)}
    for file, split in splits.items():
        for i, (character, ink) in enumerate(read_gnt(file)):
            if character in number:
                source = f"{file.parent.name}/{file.name}/{i}"
                toned = to_bytes(in_full_tone(ink.astype(np.float32) / 255))  # as `read_character` makes them
                yield Example(framed(toned), split, source, label=number[character], speaker=file.stem)


def _split(file: Path) -> str:
    if "tst" in file.parent.name.lower():
        return "test"
    return "validation" if place(file.stem) < VALIDATION else "train"


def read_gnt(file: Path) -> Iterator[tuple[str, np.ndarray]]:
    """The characters of a file, each with its ink: (height, width) uint8, paper 0.

    Raises UsageError if a record is cut off or invalid.
    """
    data, begin = file.read_bytes(), 0
    while begin < len(data):
        try:
            size, code, width, height = _HEAD.unpack_from(data, begin)
            pixels = np.frombuffer(data, np.uint8, width * height, begin + _HEAD.size).reshape(height, width)
            character = code.rstrip(b"\0").decode("gb18030")
        except (struct.error, ValueError) as error:
            raise UsageError(f"{file} is damaged at byte {begin:,} ({error}). Unpack it again.") from error
        if size != _HEAD.size + pixels.size or not (pixels < 255).any():
            raise UsageError(
                f"{file} is damaged at byte {begin:,}: {width}x{height} pixels in {size} bytes. Unpack it again."
            )
        yield character, 255 - pixels
        begin += size


main = command_line(prepare)

if __name__ == "__main__":
    main()
