"""What users name: entries of tables, and lists of names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import TypeVar

from .errors import UsageError

T = TypeVar("T")


def named(what: str, name: str | None, table: Mapping[str, T]) -> T:
    """The entry of ``table`` under ``name``, None being "none"; UsageError, with the nearest name, if there is none."""
    key = "none" if name is None else str(name)
    if key not in table:
        near = get_close_matches(key, table, n=1)
        guess = f" Did you mean {near[0]}?" if near else ""
        raise UsageError(f"there is no {what} {key!r}.{guess} There are {', '.join(table)}")
    return table[key]


def listed(wanted: object) -> tuple[str, ...]:
    """Names as users give them: a text with commas, a list, or a single one, of any type."""
    if isinstance(wanted, str):
        wanted = wanted.split(",")
    names = wanted if isinstance(wanted, Iterable) else [wanted]
    return tuple(str(name).strip() for name in names)
