"""Numbers as text."""

from collections.abc import Iterable


def plural(count: int, noun: str) -> str:
    """Such as "1 thread", "4 threads" or "1,000 epochs"."""
    return f"{count:,} {noun}" + "s" * (count != 1)


def by_x(sizes: Iterable[int]) -> str:
    """(1, 28, 28) as "1x28x28"."""
    return "x".join(map(str, sizes))
