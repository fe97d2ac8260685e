"""The units in which sentences are spelled: characters, or whole words."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from sigconv.errors import UsageError
from sigconv.names import known

BLANK = 0  # the token of a frame in which nothing new is said
KINDS = ("characters", "words")


class Tokens:
    """The tokens of a network, by their numbers.

    Args:
        names: the tokens; the first is the blank, "".
        by: "characters", including the space between words, or "words".
    """

    def __init__(self, names: Sequence[str], by: str) -> None:
        self.names, self.by = tuple(names), known("value of tokens", by, KINDS)
        self._number = {name: i for i, name in enumerate(self.names)}

    @classmethod
    def of(cls, texts: Iterable[str], by: str) -> "Tokens":
        """The tokens that the texts are made of, sorted, after the blank."""
        found = {part for text in texts for part in _split(text, by)}
        return cls(["", *sorted(found)], by)

    def __len__(self) -> int:
        return len(self.names)

    @property
    def separator(self) -> list[int]:
        """What stands between two words: the space, or nothing where the tokens are words."""
        return [self._number[" "]] if " " in self._number else []

    def encode(self, text: str) -> list[int]:
        """The numbers of the text's tokens. Raises UsageError for a token that is not known."""
        parts = _split(text, self.by)
        unknown = sorted(set(parts) - set(self.names[1:]))
        if unknown:
            raise UsageError(f"{text!r} has {', '.join(map(repr, unknown))}, which is none of the {self.by} known")
        return [self._number[part] for part in parts]

    def decode(self, numbers: Iterable[int]) -> str:
        """What the numbers spell, with single spaces between the words and none around them."""
        glue = " " if self.by == "words" else ""
        return " ".join(glue.join(self.names[i] for i in numbers).split())


def frames_needed(numbers: Sequence[int]) -> int:
    """The fewest frames that can spell this: one per token, and a blank between two equal ones."""
    return len(numbers) + sum(one == other for one, other in pairwise(numbers))


def _split(text: str, by: str) -> list[str]:
    words = text.split()
    return words if by == "words" else list(" ".join(words))
