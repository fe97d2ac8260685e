"""Numbers and names as text."""

from collections.abc import Iterable, Sequence

FEW = 5  # names that a line for the terminal has, at most


def plural(count: int, noun: str) -> str:
    """Such as "1 thread", "4 threads" or "1,000 epochs"."""
    return f"{count:,} {noun}" + "s" * (count != 1)


def by_x(sizes: Iterable[int]) -> str:
    """(1, 28, 28) as "1x28x28"."""
    return "x".join(map(str, sizes))


def first_few(names: Sequence[str], between: str = ", ") -> str:
    """The first `FEW` names, and dots if there are more."""
    return between.join([*names[:FEW], *["..."] * (len(names) > FEW)])
