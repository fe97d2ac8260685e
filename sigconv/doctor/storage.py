"""Disks: free space, and permission to write."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from sigconv.doctor.finding import GIB, Finding, Status

ENOUGH_ROOM = 5 * GIB  # the largest corpus that a recipe prepares, and some runs
RUNS = Path("runs")


def current_folder() -> Iterator[Finding]:
    yield _examine("this folder", Path.cwd(), "Go to a folder that is yours.")


def run_folder() -> Iterator[Finding]:
    """The folder where recipes put their runs, or the one in which it will be made; nothing is created here."""
    wanted = RUNS.absolute()
    there = next(folder for folder in (wanted, *wanted.parents) if folder.exists())
    if not there.is_dir():
        fix = "Give it another name:"
        yield Finding(Status.BROKEN, f"run folder {RUNS}/: {there} is a file", fix, f"mv {RUNS} {RUNS}.old")
        return
    yield _examine(f"run folder {RUNS}/", there, "Make it yours, or go to another folder.")


def temporary_folder() -> Iterator[Finding]:
    fix = "Let TMPDIR name a folder with room:"
    command = "export TMPDIR=$HOME"
    try:
        yield _examine("temporary folder", Path(tempfile.gettempdir()), fix, command)
    except FileNotFoundError as error:
        yield Finding(Status.BROKEN, f"temporary folder: {error.strerror}", fix, command)


def _examine(what: str, folder: Path, fix: str, command: str = "") -> Finding:
    try:
        with tempfile.TemporaryFile(dir=folder, prefix=".sigconv") as file:
            file.write(bytes(1 << 16))
            file.flush()
    except OSError as error:
        return Finding(Status.BROKEN, f"{what}: cannot write in {folder}: {error.strerror}", fix, command)
    free = shutil.disk_usage(folder).free
    text = f"{what}: {folder}, {free / GIB:.1f} GiB free"
    if free < ENOUGH_ROOM:
        return Finding(Status.NOTE, text, f"Clear it to {ENOUGH_ROOM / GIB:.0f} GiB, or: {fix}", command)
    return Finding(Status.OK, text)
