"""Checks of the settings of features and augmentation; every error names the class of their owner."""

import math
from collections.abc import Iterable, Sequence
from numbers import Integral

from torch import Tensor

from sigconv.errors import UsageError
from sigconv.names import known


def positive(owner: object, **numbers: float) -> None:
    """Raises UsageError for a number that is not positive and finite."""
    for name, value in numbers.items():
        if not 0 < value < math.inf:
            raise UsageError(f"{type(owner).__name__}: {name} is {value}, but it must be a positive number")


def limit(owner: object, name: str, value: float, below: float = math.inf) -> float:
    """Returns the value if it is at least 0 and less than ``below``; else raises UsageError."""
    if not 0 <= value < below:
        raise UsageError(f"{type(owner).__name__}: {name} is {value}, but it must be at least 0 and below {below:g}")
    return float(value)


def share(owner: object, name: str, value: float) -> float:
    """Returns the value if it is between 0 and 1, both included; else raises UsageError."""
    if not 0 <= value <= 1:
        raise UsageError(f"{type(owner).__name__}: {name} is {value}, but it must be between 0 and 1")
    return float(value)


def range_db(owner: object, value: float | None) -> float | None:
    """Returns a dynamic range in dB if it is positive, or None for no bound; else raises UsageError."""
    if value is not None:
        positive(owner, range_db=value)
    return value


def at_least_one(owner: object, **counts: int) -> None:
    """Raises UsageError for a count that is not a whole number, or is below 1."""
    for name, value in counts.items():
        if not isinstance(value, Integral):
            raise UsageError(f"{type(owner).__name__}: {name} is {value!r}, but it must be a whole number")
        if value < 1:
            raise UsageError(f"{type(owner).__name__}: {name} is {value}; it must be at least 1")


def choice(owner: object, name: str, value: str, values: Iterable[str]) -> str:
    """Returns the value if it is one of ``values``; else raises UsageError that suggests the nearest."""
    return known(f"{type(owner).__name__} {name}", value, values)


def interval(owner: object, name: str, values: Sequence[float]) -> tuple[float, float]:
    """Returns the values if they are two finite numbers, the lower one first; else raises UsageError."""
    numbers = tuple(float(value) for value in values)
    if len(numbers) != 2 or not -math.inf < numbers[0] <= numbers[1] < math.inf:
        raise UsageError(
            f"{type(owner).__name__}: {name} is {list(numbers)}, but it must be two numbers, the lower one first"
        )
    return numbers[0], numbers[1]


def band(owner: object, low: float, high: float | None, rate: float) -> tuple[float, float]:
    """The edges of a frequency range in Hz, ``high`` None for half the rate; raises UsageError if they do not fit."""
    high = rate / 2 if high is None else high
    if not 0 <= low < high <= rate / 2:
        raise UsageError(
            f"{type(owner).__name__}: frequencies from {low:g} to {high:g} Hz; the lower edge must be at least 0 and "
            f"below the upper one, and that at most half the rate, {rate / 2:g} Hz"
        )
    return float(low), float(high)


def floating(owner: object, batch: Tensor, what: str, *axes: int, cure: str = "") -> Tensor:
    """Returns a batch of floating point with one of these numbers of axes; else raises UsageError.

    Args:
        what: the batch's name and shape, as the message gives them.
        cure: ends the message.
    """
    if batch.ndim not in axes or not batch.is_floating_point():
        raise UsageError(
            f"{type(owner).__name__} takes floating point {what}, "
            f"but was given {tuple(batch.shape)} of {batch.dtype}{cure}"
        )
    return batch


def holds_window(owner: object, wave: Tensor, window: int, rate: float) -> None:
    """Raises UsageError for a sound (..., T) that has fewer samples than a window."""
    samples = wave.shape[-1]
    if samples < window:
        raise UsageError(
            f"{type(owner).__name__}: the sound has {samples} samples, {samples / rate:g} s at {rate:g} Hz, "
            f"but a window has {window}; pad the sound, or take a shorter window"
        )
