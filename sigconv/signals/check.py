"""What is asked of the numbers that features and augmentation are made from; every error names whose they are."""

from __future__ import annotations

import math
from numbers import Integral

from torch import Tensor

from sigconv.errors import UsageError


def positive(owner: object, **numbers: float) -> None:
    """UsageError for a number that is not above 0, infinite or NaN."""
    for name, value in numbers.items():
        if not 0 < value < math.inf:
            raise UsageError(f"{type(owner).__name__}: {name} is {value}, but it must be a positive number")


def limit(owner: object, name: str, value: float, below: float = math.inf) -> float:
    """The value, where it is at least 0 and below that."""
    if not 0 <= value < below:
        raise UsageError(f"{type(owner).__name__}: {name} is {value}, but it must be at least 0 and below {below:g}")
    return float(value)


def share(owner: object, name: str, value: float) -> float:
    """The value, where it is between 0 and 1."""
    if not 0 <= value <= 1:
        raise UsageError(f"{type(owner).__name__}: {name} is {value}, but it must be between 0 and 1")
    return float(value)


def range_db(owner: object, value: float | None) -> float | None:
    """The dynamic range in dB, None for no bound."""
    if value is not None:
        positive(owner, range_db=value)
    return value


def at_least_one(owner: object, **counts: int) -> None:
    """UsageError for what is no whole number, or below 1."""
    for name, value in counts.items():
        if not isinstance(value, Integral):
            raise UsageError(f"{type(owner).__name__}: {name} is {value!r}, but it must be a whole number")
        if value < 1:
            raise UsageError(f"{type(owner).__name__}: {name} is {value}; the least is 1")


def choice(owner: object, name: str, value: str, values: tuple[str, ...]) -> str:
    """The value, where it is one of those there are."""
    if value not in values:
        raise UsageError(f"{type(owner).__name__}: there is no {name} {value!r}; there are {', '.join(values)}")
    return value


def band(owner: object, low: float, high: float | None, rate: float) -> tuple[float, float]:
    """The edges of a range of frequencies in Hz, where ``high`` may be None for half the rate."""
    high = rate / 2 if high is None else high
    if not 0 <= low < high <= rate / 2:
        raise UsageError(
            f"{type(owner).__name__}: frequencies from {low:g} to {high:g} Hz; the lower edge must be at least 0 and "
            f"below the upper one, and that at most half the rate, {rate / 2:g} Hz"
        )
    return float(low), float(high)


def holds_window(owner: object, wave: Tensor, window: int, rate: float) -> None:
    """UsageError for a sound (..., T) that has fewer samples than a window."""
    samples = wave.shape[-1]
    if samples < window:
        raise UsageError(
            f"{type(owner).__name__}: the sound has {samples} samples, {samples / rate:g} s at {rate:g} Hz, "
            f"but a window has {window}; pad the sound, or take a shorter window"
        )
