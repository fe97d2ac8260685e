"""Unpacks what was fetched: safely, and either completely or not at all."""

import os
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from tqdm import tqdm

from data_prep.fetch import fetch
from sigconv.errors import UsageError
from sigconv.files import naming


def fetch_unpacked(url: str, folder: Path, checksum: str | None) -> Path:
    """`folder`, unpacked if missing from the archive at `url`, which is kept as `<folder>.tar.gz` or `.zip`.

    Raises UsageError if the archive cannot be fetched, or does not match `checksum`: see `fetch`.
    """
    if folder.exists():
        return folder
    kind = ".zip" if urlsplit(url).path.endswith(".zip") else ".tar.gz"
    return unpack(fetch(url, folder.with_name(f"{folder.name}{kind}"), checksum), folder)


def unpack(archive: Path, folder: Path) -> Path:
    """Unpacks a zip, or a tar archive, compressed or not, as `folder`; one that exists is left as it is.

    A killed process leaves a hidden folder beside it, which is taken for no data (`is_hidden`).
    Nothing can be written outside the folder, whatever the archive says (tarfile's filter "data"; zipfile always).

    Raises UsageError: the archive is damaged or unsafe; it is deleted, so that it is fetched again next time.
    """
    if folder.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with naming(folder), tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.part-") as scratch:
        whole = Path(scratch, "whole")
        try:
            for _ in tqdm(_extract(archive, whole), f"unpacking {archive.name}", unit=" files", disable=None):
                pass
            if not whole.exists():
                raise EOFError("there is nothing in it")
        except (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:  # the disk's fault, not the archive's
                raise
            archive.unlink()
            raise UsageError(
                f"{archive} is not a whole, safe archive ({error}). It is deleted now: run again to fetch it again."
            ) from error
        os.rename(whole, folder)
    return folder


def _extract(archive: Path, folder: Path) -> Iterator[object]:
    """Unpacks one member after the other, and yields it."""
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive) as packed:
            for name in packed.namelist():
                yield packed.extract(name, folder)
    else:
        with tarfile.open(archive) as tar:
            for member in tar:
                tar.extract(member, folder, filter="data")
                yield member
