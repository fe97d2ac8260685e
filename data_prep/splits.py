"""Splits drawn by hash: the same for the same names, whatever is added later."""

import hashlib
from collections.abc import Iterable

from sigconv.errors import UsageError

SPLITS = ("train", "validation", "test")


def empty_splits(filled: Iterable[str]) -> list[str]:
    """The splits that are not among the filled ones."""
    there = set(filled)
    return [split for split in SPLITS if split not in there]


def digest(*texts: str) -> str:
    """sha256, in hexadecimal."""
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def place(name: str) -> float:
    """The hash of a name, as a number in [0, 1)."""
    return int(digest(name)[:13], 16) / 16**13


def draw_splits(names: Iterable[str], validation: float, test: float) -> dict[str, str]:
    """A split for each name, by its hash alone; where that leaves a split empty, by the order of the hashes."""
    places = {name: place(name) for name in names}
    drawn = {name: _part(where, validation, validation + test) for name, where in places.items()}
    if set(drawn.values()) == set(SPLITS):
        return drawn
    in_order = sorted(places, key=places.__getitem__)
    tested_from = min(max(1, round(validation * len(in_order))), max(1, len(in_order) - 2))
    trained_from = min(tested_from + max(1, round(test * len(in_order))), max(2, len(in_order) - 1))
    return {name: _part(rank, tested_from, trained_from) for rank, name in enumerate(in_order)}


def _part(place: float, tested_from: float, trained_from: float) -> str:
    if place < tested_from:
        return "validation"
    return "test" if place < trained_from else "train"


def check_shares(validation: float, test: float) -> None:
    """Raises UsageError if they leave a split without any share."""
    if not (validation > 0 and test > 0 and validation + test < 1):
        raise UsageError(
            f"The shares are {validation:g} for validation and {test:g} for testing; "
            "both must be above 0, and together below 1."
        )
