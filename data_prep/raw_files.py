"""The files below a folder that somebody has brought: none is passed over without a word."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

from sigconv.errors import UsageError
from sigconv.words import first_few


def list_files(root: Path) -> list[Path]:
    """All files below `root`, relative to it and sorted.

    Raises UsageError: it is no folder, or there is something in it that would be lost without a word: a folder that
    cannot be read, a link to a folder or to nothing, a pipe, a name that is not UTF-8.
    """
    if not root.is_dir():
        raise UsageError(f"There is no folder {root}: name the one with the raw files.")
    found: list[str] = []
    for place, folders, names in os.walk(root, onerror=_refuse):
        links = [path for path in (os.path.join(place, name) for name in sorted(folders)) if os.path.islink(path)]
        if links:
            raise UsageError(
                f"{links[0]} is a link to a folder, and links are not followed: put the folder itself there."
            )
        found += [os.path.join(place, name) for name in names]
    found.sort(key=lambda path: path.split(os.sep))
    lost = [path for path in found if not os.path.isfile(path)]
    if lost:
        raise UsageError(f"Not files, or links to what is not there: {first_few(lost)}. Mend or remove them.")
    strange = [name for name in map(os.fsencode, found) if not _is_utf8(name)]
    if strange:
        names = first_few([name.decode("utf-8", "backslashreplace") for name in strange])
        raise UsageError(f"Names that are not UTF-8, with their other bytes as \\x..: {names}. Rename them.")
    top = os.path.join(root, "")
    return [Path(path.removeprefix(top)) for path in found]


def files_in(folders: Iterable[Path], kind: str) -> list[Path]:
    """The files of a kind, such as ".wav", right in these folders, by folder and name; without hidden ones.

    Raises UsageError: a folder cannot be read.
    """
    found: list[Path] = []
    for folder in folders:
        try:
            names = sorted(entry.name for entry in os.scandir(folder)) if folder.is_dir() else []
        except OSError as error:
            _refuse(error)
        found += [folder / name for name in names if name.lower().endswith(kind) and not name.startswith(".")]
    return found


def is_hidden(path: Path) -> bool:
    """Whether it, or a folder above it, begins with a dot, as macOS' notes do, and what a killed unpacking left."""
    return any(part.startswith(".") for part in path.parts)


def _refuse(error: OSError) -> NoReturn:
    raise UsageError(f"{error.filename} cannot be read: {error.strerror}. Make it readable, or move it away.") from None


def _is_utf8(name: bytes) -> bool:
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return True
