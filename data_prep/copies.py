"""Signals that occur again in a corpus, under another name."""

from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b

import typer

from sigconv.corpus import Example
from sigconv.words import first_few


class Copies:
    """Notes signals that occur again, sample for sample, in another split or with another label.

    In the one case training data leaks into the test, in the other one of the two labels is wrong.

    Args:
        labels: of the corpus; none where examples have texts.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        self._labels = labels
        self._first: dict[bytes, tuple[str, str]] = {}  # source, and split with label, by hash of the samples
        self._found: list[str] = []

    def watched(self, examples: Iterable[Example]) -> Iterator[Example]:
        """Passes the examples on as they are."""
        for example in examples:
            samples = blake2b(example.signal.tobytes(), digest_size=16).digest()
            said = example.text if example.label is None else self._labels[example.label]
            where = f"{example.split}, {said}"
            source, there = self._first.setdefault(samples, (example.source, where))
            if where != there:
                self._found.append(f"{example.source} ({where}) is {source} ({there})")
            yield example

    def tell(self) -> None:
        """Prints how many there are, and the first few."""
        if self._found:
            where = "In two splits or with two labels, under two names"
            typer.echo(f"{where}: {len(self._found):,}, {first_few(self._found, '; ')}", err=True)
