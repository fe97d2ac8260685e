"""How a mouth moves in speech: each sound pulls at its parts, those that it needs most strongly, and in advance.

After M. M. Cohen, D. W. Massaro: Modeling coarticulation in synthetic visual speech. In: Models and techniques in
computer animation, Springer 1993. What is drawn is a sound's viseme, so that sounds of one viseme look alike; the
diphthongs glide from one viseme to another.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from data_prep.lips.words import Word
from sigconv.signals.lips.visemes import VISEMES, WORDS

# Lips apart (below 0: pressed together), jaw down, lips spread (below 0: rounded), lips forward, lower lip tucked under
# the upper teeth, tongue up. 1 is as far as a speaker goes.
PARTS = ("lips", "jaw", "spread", "forward", "tuck", "tongue")

# Where each viseme pulls each part, and how strongly: a b must close the lips, and leaves the rest to its neighbours.
SILENCE = "silence"
PULLS: dict[str, tuple[tuple[float, float], ...]] = {
    SILENCE: ((-0.05, 0.5), (0.05, 0.5), (0.0, 0.4), (0.0, 0.4), (0.0, 1.0), (0.3, 0.3)),
    "p b m": ((-0.3, 8.0), (0.10, 0.8), (0.0, 0.3), (0.0, 0.3), (0.0, 2.0), (0.3, 0.1)),
    "t d s z th dh": ((0.40, 1.0), (0.06, 3.0), (0.25, 0.4), (0.0, 0.3), (0.0, 1.0), (0.9, 4.0)),
    "k g n ng l y hh": ((0.40, 0.5), (0.30, 0.8), (0.1, 0.2), (0.0, 0.2), (0.0, 1.0), (0.6, 1.0)),
    "ch jh sh zh": ((0.60, 2.0), (0.05, 3.0), (-0.45, 2.0), (0.9, 3.0), (0.0, 1.0), (0.7, 2.0)),
    "f v": ((0.20, 3.0), (0.12, 2.0), (0.1, 0.4), (0.0, 0.6), (1.0, 8.0), (0.3, 0.3)),
    "r w": ((0.12, 2.0), (0.15, 1.0), (-0.9, 3.0), (0.9, 3.0), (0.0, 1.0), (0.5, 0.5)),
    "iy ih": ((0.45, 1.0), (0.22, 1.2), (0.9, 2.0), (-0.1, 1.0), (0.0, 1.0), (0.6, 1.0)),
    "eh ey ae": ((0.65, 1.0), (0.55, 1.2), (0.5, 1.2), (0.0, 0.7), (0.0, 1.0), (0.3, 1.0)),
    "aa aw ay": ((0.95, 1.2), (1.00, 1.5), (0.1, 0.8), (0.0, 0.7), (0.0, 1.0), (0.0, 1.0)),
    "ah": ((0.60, 0.8), (0.60, 0.8), (0.0, 0.5), (0.0, 0.5), (0.0, 1.0), (0.2, 0.6)),
    "ao oy ow": ((0.70, 1.2), (0.65, 1.2), (-0.6, 2.0), (0.6, 2.0), (0.0, 1.0), (0.0, 1.0)),
    "uh uw": ((0.30, 1.5), (0.20, 1.2), (-1.0, 2.5), (1.0, 2.5), (0.0, 1.0), (0.2, 0.5)),
    "er": ((0.40, 0.8), (0.30, 0.8), (-0.2, 0.8), (0.4, 0.8), (0.0, 1.0), (0.4, 0.6)),
}
GLIDES = {"EY": ("EH", "IY"), "AY": ("AA", "IY"), "AW": ("AA", "UW"), "OW": ("AO", "UW"), "OY": ("AO", "IY")}
VOWELS = {"IY", "IH", "EH", "AE", "AA", "AH", "AO", "UH", "UW", "ER"}
SECONDS = {True: 0.13, False: 0.08}  # of a vowel, and of a consonant
SHORTEST = 0.2  # seconds, of a word
PAUSE = 0.2  # seconds at least before and after a sentence


@dataclass(frozen=True)
class Speech:
    """Words that are said, and the mouth at any time.

    Args:
        words: with the times at which they are said.
        edges: (sounds + 1,), the times in seconds at which each sound begins, and the last one ends.
        where, strength: (sounds, PARTS), the targets to which the sounds pull the parts, and how strongly.
    """

    words: list[Word]
    edges: np.ndarray
    where: np.ndarray
    strength: np.ndarray

    def mouth(self, times: np.ndarray) -> np.ndarray:
        """(times, PARTS) float64: the mean of the sounds' targets, weighted by how strongly they pull at each time.

        A sound pulls most in its middle; that falls to 1/e at its edges, and again to 1/e with every 50 ms beyond.
        """
        times = times[:, None]
        begin, end = self.edges[:-1], self.edges[1:]
        within = np.minimum(np.abs(2 * times - begin - end) / (end - begin), 1)
        away = np.maximum(np.maximum(begin - times, times - end), 0)
        pull = np.exp(-within - away / 0.05)[:, :, None] * self.strength
        return (pull * self.where).sum(axis=1) / pull.sum(axis=1)


def speak(words: Sequence[str], seconds: float, tempo: float, effort: float, rng: np.random.Generator) -> Speech:
    """The words at a random place in a clip, with silence before and after.

    Args:
        words: of `WORDS`.
        seconds: length of the clip; words that are too long for it are said faster.
        tempo: relative to the average, 1.
        effort: how far the parts move: 1 for clear speech, less for mumbling.
    """
    sounds = [[part for phoneme in WORDS[word] for part in GLIDES.get(phoneme, (phoneme,))] for word in words]
    lengths = [_lengths(word, tempo, rng) for word in sounds]
    spoken = sum(length.sum() for length in lengths)
    shrunk = min(1.0, (seconds - 2 * PAUSE) / spoken)
    start = PAUSE + rng.random() * (seconds - 2 * PAUSE - spoken * shrunk)
    inner = start + shrunk * np.concatenate(([0.0], np.cumsum(np.concatenate(lengths))))
    borders = inner[np.cumsum([0, *map(len, lengths)])].tolist()
    timed = [Word(*entry) for entry in zip(words, borders, borders[1:], strict=False)]

    names = [SILENCE, *(VISEMES[phoneme] for word in sounds for phoneme in word), SILENCE]
    where, strength = np.array([PULLS[name] for name in names]).transpose(2, 0, 1)
    where = effort * (where + rng.normal(0, 0.05, where.shape))  # no two are said alike
    return Speech(timed, np.concatenate(([0.0], inner, [seconds])), where, strength)


def _lengths(phonemes: Sequence[str], tempo: float, rng: np.random.Generator) -> np.ndarray:
    """How long each sound of a word lasts, in seconds."""
    lengths = np.array([SECONDS[phoneme in VOWELS] for phoneme in phonemes])
    lengths *= np.exp(rng.normal(0, 0.2, len(lengths))) / tempo
    return lengths * max(1.0, SHORTEST / lengths.sum())
