"""The video of a sentence as it is, or its words, cut out one by one."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from sigconv.corpus import Example
from sigconv.errors import UsageError
from sigconv.names import known

TASKS = ("words", "sentences")


class Word(NamedTuple):
    """A word, and when it is said, in seconds."""

    text: str
    first: float
    end: float


class Cutting:
    """What of a sentence is an example: each of its words, cut out, or all of it.

    Args:
        task: "words" or "sentences".
        context: for words, whether to cut out `seconds` around each, or its frames alone.
        seconds: length of a word with its context.
        rate: frames per second.
        words: all that there are, in the order of their labels.

    Attributes:
        labels: of the corpus; none for sentences.
        options: the first three arguments, as far as they matter for the task, by name.

    Raises UsageError: there is no such task, or no length above 0 for a context.
    """

    def __init__(self, task: str, context: bool, seconds: float | None, rate: float, words: Sequence[str]) -> None:
        cut = {"context": context, "seconds": seconds if context else None}
        around: dict[str, Any] = cut if task == "words" else {}
        self.options = {"task": known("task", task, TASKS), **around}
        self.labels = tuple(words) if task == "words" else ()
        self.rate, self.length = rate, window_length(rate, **around)

    def __call__(self, sentence: Example, words: Sequence[Word]) -> Iterator[Example]:
        """The examples of a sentence in which these words are said; it has neither label nor text yet."""
        if not self.labels:
            yield replace(sentence, text=" ".join(word.text for word in words))
            return
        for place, (text, first, end) in enumerate(words):
            signal = cut_word(sentence.signal, first * self.rate, end * self.rate, self.length)
            source = f"{sentence.source}/{place}/{text}"
            yield replace(sentence, signal=signal, source=source, label=self.labels.index(text))


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
