"""Files that are written as a whole or not at all, and errors that name them."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Call `write` with a temporary name in the same folder, unique to this process, and move the result to `path`."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with naming(path):
            write(part)
            os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Gives the name of what is written to errors that name no file, as of a disk that gets full while one is open."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        raise
