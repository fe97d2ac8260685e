"""What users name: entries of tables, and lists of names."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import TypeVar

from sigconv.errors import UsageError

T = TypeVar("T")


def known(what: str, name: str | None, names: Iterable[str]) -> str:
    """``name`` (None counts as "none") if it is one of ``names``; else a UsageError that suggests the nearest."""
    key, there = "none" if name is None else str(name), list(names)
    if key not in there:
        near = get_close_matches(key, there, n=1)
        guess = f" Did you mean {near[0]}?" if near else ""
        raise UsageError(f"there is no {what} {key!r}.{guess} There are {', '.join(there)}")
    return key


def named(what: str, name: str | None, table: Mapping[str, T]) -> T:
    """The entry of ``table`` under a :func:`known` name."""
    return table[known(what, name, table)]


def listed(wanted: object) -> tuple[str, ...]:
    """Names from a comma-separated string, a list, or a single value of any type."""
    if isinstance(wanted, str):
        wanted = wanted.split(",")
    names = wanted if isinstance(wanted, Iterable) else [wanted]
    return tuple(str(name).strip() for name in names)
