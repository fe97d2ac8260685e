"""What every network's factory requires of its input and classes."""

from collections.abc import Sequence

from sigconv.blocks import Fold
from sigconv.errors import UsageError
from sigconv.notation import parse_input
from sigconv.window import Sizes
from sigconv.words import by_x


def folded(owner: str, input: str | Sequence[int], classes: int, ndim: int | None) -> Sizes:
    """(channels, \\*size) with ``ndim`` axes, all if None; those before them are folded into the channels.

    Raises UsageError if the input has fewer axes, or if there is no class.
    """
    shape = parse_input(input)
    axes = len(shape) - 1 if ndim is None else ndim
    if len(shape) - 1 < axes:
        raise UsageError(
            f"{owner} convolves over {axes} axes; the input {by_x(shape)}, channels x sizes, has {len(shape) - 1}"
        )
    _check_classes(owner, classes)
    return Fold(axes).folded(shape)


def picture(owner: str, input: str | Sequence[int], classes: int) -> Sizes:
    """(channels, height, width). Raises UsageError if the input is not a picture, or if there is no class."""
    shape = parse_input(input)
    if len(shape) != 3:
        raise UsageError(f"{owner} takes pictures, channels x height x width; {by_x(shape)} has {len(shape) - 1} axes")
    _check_classes(owner, classes)
    return shape


def _check_classes(owner: str, classes: int) -> None:
    if classes < 1:
        raise UsageError(f"{owner}: classes is {classes}; it must be at least 1")
