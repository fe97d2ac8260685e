"""Downloads for every corpus: resumable, checked, and never a partial file under its final name."""

import hashlib
import os
import ssl
import time
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from tqdm import tqdm

from sigconv.errors import UsageError
from sigconv.files import naming

CHUNK = 1 << 16
# Not OSError as a whole: a full disk is not the network's fault.
NETWORK_ERRORS = (URLError, HTTPException, ConnectionError, TimeoutError, ssl.SSLError)


class FetchError(UsageError):
    """A download failed. `cause` is the message without its advice, for a caller with another source to try."""

    def __init__(self, cause: str, cure: str) -> None:
        super().__init__(f"{cause}. {cure}")
        self.cause = cause


def fetch(url: str, path: Path, checksum: str | None, *, attempts: int = 4, timeout: float = 10.0) -> Path:
    """Downloads `url` to `path`, resuming an earlier attempt; a `path` that exists is only checked.

    What has arrived is in `<path>.part`, which is renamed to `path` once its checksum is right.

    Args:
        checksum: "md5:..." or "sha256:...", in hexadecimal. None if the server repacks the file from time to time, so
            that its bytes may change: checking its contents is then up to the caller.
        attempts: consecutive attempts that bring no more than there was before giving up.
        timeout: seconds to wait for the connection, and for each further piece.

    Raises:
        FetchError: the file cannot be downloaded, or does not match the checksum.
    """
    if path.exists():
        _check(path, checksum, "Delete it and run again.")
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    _download(url, part, attempts, timeout)
    try:
        _check(part, checksum, f"It is deleted now: run again to fetch {url} from its start.")
    except FetchError:
        part.unlink()
        raise
    os.replace(part, path)
    return path


def _check(path: Path, checksum: str | None, cure: str) -> None:
    if checksum is None:
        return
    algorithm, _, expected = checksum.partition(":")
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, algorithm).hexdigest()
    if found != expected:
        raise FetchError(f"{path} is damaged: its {algorithm} is {found}, it should be {expected}", cure)


def _download(url: str, part: Path, attempts: int, timeout: float) -> None:
    failures, most = 0, _size(part)
    while True:
        try:
            return _receive(url, part, timeout)
        except NETWORK_ERRORS as error:
            failures = 1 if _size(part) > most else failures + 1
            most = max(most, _size(part))  # a server without ranges begins anew each time
            if failures >= attempts or _is_refusal(error):
                raise FetchError(
                    f"{url} cannot be fetched: {_reason(error)}",
                    f"Check the network and the proxy, and run again: it goes on after the {_size(part):,} bytes "
                    f"that are there. Or fetch it in another way and put it at {part.with_suffix('')}.",
                ) from error
            time.sleep(0.5 * 2**failures)


def _receive(url: str, part: Path, timeout: float) -> None:
    """Appends to `part` what it still lacks of `url`."""
    start = _size(part)
    request = Request(url, headers={"User-Agent": "sigconv"})
    if start:
        request.add_header("Range", f"bytes={start}-")
    try:
        response = urlopen(request, timeout=timeout)
    except HTTPError as error:
        if start and error.code == 416:  # nothing comes after `start`: the checksum shows whether that is all
            return
        raise
    with response:
        if response.status != 206:  # a server without ranges sends all
            start = 0
        length = response.headers["Content-Length"]
        total = start + int(length) if length else None
        bar = tqdm(desc=part.stem, initial=start, total=total, unit="B", unit_scale=True, disable=None)
        with bar, naming(part), open(part, "ab" if start else "wb") as file:
            while piece := response.read(CHUNK):
                file.write(piece)
                bar.update(len(piece))
    if total is not None and _size(part) < total:
        raise ConnectionError(f"the connection broke off after {_size(part):,} of {total:,} bytes")


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _is_refusal(error: Exception) -> bool:
    """Whether a retry would get the same answer: HTTP 4xx, except "timeout" and "too many requests"."""
    return isinstance(error, HTTPError) and 400 <= error.code < 500 and error.code not in (408, 429)


def _reason(error: Exception) -> str:
    if isinstance(error, HTTPError):
        return f"the server answers {error.code} {error.reason}"
    cause = getattr(error, "reason", error)  # what a URLError wraps
    return str(getattr(cause, "strerror", None) or cause) or type(cause).__name__
