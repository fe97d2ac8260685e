"""Unpacks what was fetched: safely, and there as a whole or not at all."""

import os
import tarfile
import tempfile
import zlib
from pathlib import Path

from tqdm import tqdm

from data_prep.fetch import fetch
from sigconv.errors import UsageError


def fetch_unpacked(url: str, folder: Path, checksum: str | None) -> Path:
    """`folder`, unpacked from the archive at `url` where it is not there; the archive is kept as `<folder>.tar.gz`.

    Raises UsageError where the archive cannot be fetched, or is not what `checksum` says: see `fetch`.
    """
    if folder.exists():
        return folder
    return unpack(fetch(url, folder.with_name(f"{folder.name}.tar.gz"), checksum), folder)


def unpack(archive: Path, folder: Path) -> Path:
    """Unpacks a tar archive, compressed or not, as `folder`; one that is there is left as it is.

    Nothing can be written outside the folder, whatever the archive says (tarfile's filter "data").

    Raises UsageError: the archive is damaged or unsafe; it is deleted, so that it is fetched anew next time.
    """
    if folder.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f"{folder.name}.part-") as scratch:
        whole = Path(scratch, "whole")
        try:
            with tarfile.open(archive) as tar:
                for member in tqdm(tar, f"unpacking {archive.name}", unit=" files", disable=None):
                    tar.extract(member, whole, filter="data")
        except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:  # the disk's fault, not the archive's
                raise
            archive.unlink()
            raise UsageError(
                f"{archive} is not a whole, safe archive ({error}). It is deleted now: run again to fetch it anew."
            ) from error
        os.rename(whole, folder)
    return folder
