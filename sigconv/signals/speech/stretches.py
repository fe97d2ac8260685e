"""Finds where in a long recording something is said."""

import numpy as np

from sigconv.signals.length import slide
from sigconv.signals.speech.rumble import without_rumble

FRAME = 0.02  # seconds
RANGE_DB = 35  # frames further below the loudest one do not count
ABOVE_NOISE_DB = 6  # nor frames that are not this far above the quietest tenth of the recording
PAUSE = 0.2  # seconds: shorter ones are part of a word, such as the closure of a stop
SHORTEST = 0.06  # seconds: shorter stretches are clicks
MARGIN = 0.15  # seconds of the surroundings, at most


def find_stretches(samples: np.ndarray, rate: float) -> list[tuple[int, int]]:
    """The stretches between pauses, as (first, end) in samples.

    Args:
        samples: (1, T).
        rate: samples a second.
    """
    frame = max(1, round(FRAME * rate))
    sound = samples[0].astype(np.float64)
    sound = without_rumble(sound - sound.mean(), rate)
    frames = -(-len(sound) // frame)
    power = np.pad(sound, (0, frames * frame - len(sound))).reshape(frames, frame) ** 2
    level = 10 * np.log10(power.mean(1) + 1e-12)
    loud = level > max(level.max() - RANGE_DB, np.percentile(level, 10) + ABOVE_NOISE_DB)
    edges = np.flatnonzero(np.diff(np.pad(loud.astype(np.int8), 1))) * frame
    runs = [(int(first), min(int(end), len(sound))) for first, end in edges.reshape(-1, 2)]
    return [run for run in _joined(runs, PAUSE * rate) if run[1] - run[0] >= SHORTEST * rate]


def cut_windows(samples: np.ndarray, rate: float, length: int) -> list[tuple[int, int]]:
    """The pieces of a recording to look at one by one, none longer than `length`: (first, end) in samples.

    Each stretch between pauses is one, with the quiet around it up to the middle of the pause, `MARGIN` or what
    `length` has room for, whichever is least. Over a stretch longer than `length`, a window slides by half its length.
    """
    stretches = find_stretches(samples, rate)
    margin = round(MARGIN * rate)
    windows = []
    for i, (first, end) in enumerate(stretches):
        room = (length - (end - first)) // 2
        if room < 0:
            windows += slide(first, end, length)
        else:
            before = (first - stretches[i - 1][1]) // 2 if i > 0 else first
            after = (stretches[i + 1][0] - end) // 2 if i + 1 < len(stretches) else samples.shape[1] - end
            windows.append((first - min(margin, room, before), end + min(margin, room, after)))
    return windows


def _joined(runs: list[tuple[int, int]], pause: float) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for first, end in runs:
        if joined and first - joined[-1][1] < pause:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((first, end))
    return joined
