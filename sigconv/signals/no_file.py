"""Paths that are there, and yet no files."""

from os import PathLike
from pathlib import Path


def why_no_file(path: str | PathLike[str]) -> str | None:
    """What is at a path in place of a file, and the cure; None for a file, and where there is nothing.

    A decoder of sound or video goes back and forth in a file, and cannot in a pipe.
    """
    path = Path(path)
    if path.is_dir():
        return f"it is a folder: give the files in it, such as {path}/*"
    if path.exists() and not path.is_file():
        return "it is a pipe or a device: save what it gives to a file first, and give that"
    return None
