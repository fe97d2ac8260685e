"""Prepares the user's own recordings, one subfolder per class, as a corpus: `python data_prep/folder.py PATH`."""

import shlex
from pathlib import Path

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
)
from data_prep.prepared import file_state, load_prepared
from data_prep.raw_files import list_files
from data_prep.script import command_line
from data_prep.speech.recordings import Item, write_recordings
from data_prep.splits import check_shares
from sigconv.corpus import Corpus, CorpusInfo
from sigconv.errors import UsageError
from sigconv.signals.lips.video import READABLE as VIDEO
from sigconv.signals.speech.soundfiles import CONVERTIBLE, READABLE

SOUND = READABLE + CONVERTIBLE  # those that cannot be read are reported, not skipped


def prepare(
    root: str | Path,
    folder: str | Path | None = None,
    rate: int = 16_000,
    validation: float = 0.1,
    test: float = 0.1,
    speaker: str | None = None,
    faulty: str = "leave_out",
) -> Corpus:
    """The corpus of the recordings below `root`, created if it does not exist: int16, mono, at one rate.

    Each subfolder of `root` is a class, with files at any depth, of any rate, channels and length. If the subfolders
    are train, validation (or valid, val, dev) and test, they are the splits, and the classes are in them. Otherwise the
    hash of a file's name, or of its speaker's, determines its split, which stays the same whatever is added later; a
    class (or set of speakers) too small to reach each split in this way is split in the order of its hashes.

    Args:
        root: the folder with the recordings.
        folder: of the corpus; by default `data/folder_<name of root>_<hash>`, with a hash of the files and of all these
            options: when something changes, there is a new corpus beside the old one.
        rate: to which the recordings are resampled, in Hz.
        validation: share of the recordings (of the speakers, if they are known) for validation.
        test: share for testing.
        speaker: regular expression with one group that finds the speaker in a file's name, such as `_([a-z]+)_` for
            7_jackson_32.wav. Splits drawn by hash then share no speakers.
        faulty: what becomes of faulty recordings, "leave_out", "keep" (the clipped ones) or "refuse": see
            `write_recordings`.

    Raises:
        UsageError: `root` is not organised like that, or the corpus would be within it; a class has fewer than three
            recordings, or none for some split; the corpus' folder holds something else, or a corpus of the files as
            they were before.
    """
    root = Path(root).resolve()
    check_shares(validation, test)
    check_place(root, folder)
    sounds = find_sounds(root)
    speakers = find_speakers(sounds, speaker)
    options = {"rate": rate, "validation": validation, "test": test, "speaker": speaker, "faulty": faulty}
    chosen = [word for name, value in options.items() if value is not None for word in (f"--{name}", str(value))]
    info = CorpusInfo(
        name=root.name,
        kind="audio",
        dtype="int16",
        labels=tuple(sorted({sound.label for sound in sounds if sound.label})),
        rate=rate,
        terms="those of the recordings",
        citation=f"recordings in {root}",
        command=shlex.join(["python", "data_prep/folder.py", str(root), *chosen]),
        states={"root": file_state(root, (sound.path for sound in sounds))},
    )
    place = corpus_folder(folder, "folder", info)
    corpus = load_prepared(place, info)
    if corpus:
        return corpus
    splits = assign_splits(sounds, speakers, validation, test)
    items = [Item(s.path, s.source, s.label or "", splits[s.source], speakers.get(s.source)) for s in sounds]
    return write_recordings(place, info, items, faulty=faulty)


def find_sounds(root: Path) -> list[File]:
    """The sound files below `root`; skips other files, and prints how many there are."""
    files = list_files(root)
    if has_kind(files, VIDEO) and not has_kind(files, set(SOUND).difference(VIDEO)):
        raise UsageError(
            f"{root} holds video and no sound: take data=video_folder, or data_prep/video_folder.py, to read the lips; "
            "to hear the clips, convert them to wav, each by: ffmpeg -i FILE FILE.wav."
        )
    sounds = select(root, files, SOUND)
    check_formats([path for path in sounds if path.suffix.lower() in READABLE])
    return sort_into_classes(root, sounds)


main = command_line(prepare)

if __name__ == "__main__":
    main()
