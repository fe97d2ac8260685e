"""Cuts words from the video of a sentence."""

import math

import numpy as np

from sigconv.errors import UsageError


def window_length(seconds: float | None, rate: float) -> int:
    """The frames of a word with its context, at `rate` frames a second; raises UsageError for no seconds above 0."""
    if seconds is None or not seconds > 0:
        raise UsageError(f"seconds is {seconds}: a word with its context needs a length above 0, such as 0.8.")
    return max(1, round(seconds * rate))


def cut_word(frames: np.ndarray, first: float, end: float, length: int | None) -> np.ndarray:
    """The frames (channels, frames, height, width) of a word, as a view.

    Args:
        frames: of the sentence.
        first, end: when the word begins and ends, in frames.
        length: frames around the word's middle, moved inside the clip where they would stick out of it, and no more
            than there are; None for the word alone, every frame that shows some of it, and one at least.
    """
    total = frames.shape[1]
    if length is None:
        start = min(max(math.floor(first), 0), total - 1)
        return frames[:, start : max(math.ceil(end), start + 1)]
    start = min(max(round((first + end - length) / 2), 0), max(total - length, 0))
    return frames[:, start : start + length]
