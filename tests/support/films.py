"""Short videos of a grey wall."""

from pathlib import Path

import cv2
import numpy as np


def film(path: Path, brightness: int = 100, frames: int = 4, code: str = "MJPG") -> Path:
    """Writes 64x48 pixels at 25 frames a second."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*code), 25, (64, 48))
    for _ in range(frames):
        writer.write(np.full((48, 64, 3), brightness, np.uint8))
    writer.release()
    return path
