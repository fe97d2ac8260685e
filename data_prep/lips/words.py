"""The video of a sentence as it is, or its words, cut out one by one."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from sigconv.corpus import Example
from sigconv.errors import UsageError

TASKS = ("words", "sentences")


class Word(NamedTuple):
    """A word, and when it is said, in seconds."""

    text: str
    first: float
    end: float


def word_options(task: str, context: bool, seconds: float | None) -> dict[str, Any]:
    """The options that matter for a task: how words are cut out, and none for sentences."""
    return {"context": context, "seconds": seconds if context else None} if task == "words" else {}


def whole(frames: np.ndarray, words: Sequence[Word], split: str, source: str, speaker: str | None) -> Example:
    """The example of a whole sentence; frames (channels, frames, height, width)."""
    return Example(frames, split, source, text=" ".join(word.text for word in words), speaker=speaker)


def cut_words(
    sentence: Example, words: Sequence[Word], rate: float, length: int | None, labels: Sequence[str]
) -> Iterator[Example]:
    """An example of each word; for `length` see `cut_word`.

    Args:
        sentence: the example of all of it, see `whole`.
        words: those said in it.
        rate: frames per second.
        labels: of the corpus.
    """
    for place, (text, first, end) in enumerate(words):
        signal = cut_word(sentence.signal, first * rate, end * rate, length)
        source = f"{sentence.source}/{place}/{text}"
        yield replace(sentence, signal=signal, source=source, label=labels.index(text), text=None)


def window_length(rate: float, context: bool = False, seconds: float | None = None) -> int | None:
    """The frames of a word with its context, at `rate` frames a second; None without context, as for sentences.

    Raises UsageError if a context has no seconds, or none above 0.
    """
    if not context:
        return None
    if seconds is None or not seconds > 0:
        raise UsageError(f"seconds is {seconds}: a word with its context needs a length above 0, such as 0.8.")
    return max(1, round(seconds * rate))


def cut_word(frames: np.ndarray, first: float, end: float, length: int | None) -> np.ndarray:
    """The frames (channels, frames, height, width) of a word, as a view.

    Args:
        frames: of the sentence.
        first, end: when the word begins and ends, in frames.
        length: number of frames around the word's middle, shifted to lie within the clip if needed, and no more than
            there are; None for the word alone: every frame that shows part of it, and at least one.
    """
    total = frames.shape[1]
    if length is None:
        start = min(max(math.floor(first), 0), total - 1)
        return frames[:, start : max(math.ceil(end), start + 1)]
    start = min(max(round((first + end - length) / 2), 0), max(total - length, 0))
    return frames[:, start : start + length]
