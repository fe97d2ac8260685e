"""Readers in place of the real one, that other processes can import too."""

import os
import signal
from dataclasses import dataclass
from multiprocessing import parent_process
from pathlib import Path

import cv2
import numpy as np

from sigconv.signals.lips.mouths import MouthReader, Mouths
from sigconv.signals.lips.track import Quality
from sigconv.signals.lips.video import Video


@dataclass(frozen=True)
class WholePicture(MouthReader):
    """Shrinks the pictures, instead of looking for a mouth; the quality is worse the brighter they are."""

    def __call__(self, path: str | Path) -> Mouths:
        video = Video(path, self.rate)
        small = [cv2.resize(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), (self.width, self.height)) for frame in video]
        frames = np.stack(small)[None]
        return Mouths(frames, np.zeros((len(small), 4)), Quality(1.0, 0.0, 50.0, 1 - frames.mean() / 255), video.notes)


@dataclass(frozen=True)
class Crashing(WholePicture):
    """Dies over files that are called crash, as a decoder may."""

    def __call__(self, path: str | Path) -> Mouths:
        if Path(path).stem == "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        return super().__call__(path)


@dataclass(frozen=True)
class Interrupting(WholePicture):
    """Sends Ctrl-C to the process that started this one, and to this one, at files that are called stop."""

    def __call__(self, path: str | Path) -> Mouths:
        if Path(path).stem == "stop":
            os.kill(parent_process().pid, signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
        return super().__call__(path)


@dataclass(frozen=True)
class Forbidden(WholePicture):
    """For where nothing is to be cropped."""

    def __call__(self, path: str | Path) -> Mouths:
        raise AssertionError(f"{path} is cropped again")
