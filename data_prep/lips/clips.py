"""Crops mouths from clips in several processes; each result is kept in its own file, so that no work is done twice."""

import os
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict, astuple, dataclass
from multiprocessing import get_all_start_methods, get_context
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import cv2
import numpy as np
from tqdm import tqdm

from data_prep.script import write_flags
from data_prep.splits import digest
from sigconv.errors import UsageError
from sigconv.files import write_whole
from sigconv.signals.lips.mouths import MouthReader, Mouths
from sigconv.signals.lips.track import Quality
from sigconv.signals.lips.video import BadVideo

Reader = Callable[[Path], Mouths]  # must be picklable, to be sent to another process
CRASHED = "crashed the decoder"


@dataclass(frozen=True)
class Clip:
    """A video file.

    Args:
        path: of the file.
        source: its name in the corpus, with slashes between folders, such as "s1/bbaf5a".
        speaker: who speaks, if known.
    """

    path: Path
    source: str
    speaker: str | None


def store_name(reader: MouthReader) -> str:
    """The name of the folder for what a reader crops, such as "haar_25fps_48x80_1f0c9a3e": no two readers share it."""
    settings = digest(write_flags(asdict(reader)))[:8]
    return f"{reader.locator}_{reader.rate:g}fps_{reader.height}x{reader.width}_{settings}"


def crop_clips(clips: Sequence[Clip], reader: Reader, store: Path, workers: int | None = None) -> dict[str, str]:
    """Crops the mouth from each clip into `<store>/<source>.npz`, and returns the reason for each source refused.

    Results in the store, refusals included, are reused unless the clip's size or modification time has changed. Each
    file is written completely or not at all, so this can be stopped at any time, and resumes where it stopped. A clip
    that crashes the process which decodes it is refused, and the others go on.

    Args:
        reader: crops the mouth from a video file.
        workers: processes; one per core if None.

    Raises:
        UsageError: there is less than one worker; or what the reader raises, except `BadVideo`, which refuses a clip.
    """
    if workers is not None and workers < 1:
        raise UsageError(f"workers is {workers}, but cropping needs one process at least.")
    outcomes = {clip: _outcome(store, clip) for clip in clips}
    missing = [clip for clip, outcome in outcomes.items() if outcome is None]
    waiting, done = deque(missing), len(clips) - len(missing)
    with tqdm(desc="cropping mouths", initial=done, total=len(clips), unit=" clips", disable=None) as bar:
        while waiting:
            for suspect in _crop_until_crash(waiting, reader, store, workers or os.cpu_count() or 1, bar):
                if _crop_until_crash(deque([suspect]), reader, store, 1, bar):
                    _save(store, suspect, _stamp(suspect), reason=CRASHED)
                    bar.update()
    outcomes |= {clip: _outcome(store, clip) for clip in missing}
    return {clip.source: reason for clip, reason in outcomes.items() if reason}


def _crop_until_crash(
    waiting: deque[Clip], reader: Reader, store: Path, workers: int, bar: tqdm
) -> list[Clip]:  # the clips in progress when a process died; the others are done, or still waiting
    working: dict[Future[None], Clip] = {}
    with _processes(min(workers, len(waiting))) as pool:
        try:
            while waiting or working:
                while waiting and len(working) < workers:  # no more, so that few are suspected after a crash
                    working[pool.submit(_crop, waiting[0], reader, store)] = waiting[0]
                    waiting.popleft()
                for future in wait(working, return_when=FIRST_COMPLETED).done:
                    future.result()
                    del working[future]
                    bar.update()
        except BrokenProcessPool:
            return list(working.values())
    return []


@contextmanager
def _processes(count: int) -> Iterator[ProcessPoolExecutor]:
    # No plain fork, which torch's threads do not survive; a fork server imports what is needed once for all processes.
    context = get_context("forkserver" if "forkserver" in get_all_start_methods() else "spawn")
    context.set_forkserver_preload([__name__])
    with ProcessPoolExecutor(count, context, _start) as pool:
        pool.submit(int).result()  # fails if no process can be started at all, so that no clip is blamed
        yield pool


def _start() -> None:
    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends a process at once and silently


def _crop(clip: Clip, reader: Reader, store: Path) -> None:
    stamp = _stamp(clip)
    try:
        mouths = reader(clip.path)
    except BadVideo as error:
        return _save(store, clip, stamp, reason=error.reason)
    _save(
        store,
        clip,
        stamp,
        frames=mouths.frames,
        poses=mouths.poses,
        quality=astuple(mouths.quality),
        notes=np.array(mouths.notes, dtype=str),
    )


def load_mouths(store: Path, clip: Clip) -> Mouths:
    """The result of `crop_clips` for a clip that it did not refuse."""
    with np.load(_path(store, clip)) as arrays:
        quality = Quality(*arrays["quality"].tolist())
        return Mouths(arrays["frames"], arrays["poses"], quality, arrays["notes"].tolist())


def _outcome(store: Path, clip: Clip) -> str | None:
    """The reason why the clip was refused, or "" if it was not; None if it is yet to be cropped, or has changed."""
    try:
        with np.load(_path(store, clip)) as arrays:
            if arrays["stamp"].tolist() != _stamp(clip):
                return None
            return str(arrays["reason"]) if "reason" in arrays else ""
    except FileNotFoundError:
        return None
    except (BadZipFile, ValueError, KeyError, EOFError):  # the disk was full, or lost power
        return None


def _save(store: Path, clip: Clip, stamp: list[int], **arrays: Any) -> None:
    path = _path(store, clip)
    path.parent.mkdir(parents=True, exist_ok=True)

    def write(part: Path) -> None:
        with open(part, "wb") as file:  # given a name, savez would add .npz to it
            np.savez(file, stamp=stamp, **arrays)

    write_whole(path, write)


def _path(store: Path, clip: Clip) -> Path:
    return store / f"{clip.source}.npz"


def _stamp(clip: Clip) -> list[int]:
    """Size and modification time: changes when the file is written."""
    stat = clip.path.stat()
    return [stat.st_size, stat.st_mtime_ns]
