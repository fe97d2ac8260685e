"""The one kind of error that the caller can fix, and how to report any other in one line."""

import sys


class UsageError(ValueError):
    """A mistake in what was asked: the message names the cause and the cure.

    The command line and the recipes print it as one line; everything else is a defect and keeps its traceback.
    """


def complain(message: object) -> None:
    """Prints a mistake as one line."""
    print(f"error: {message}", file=sys.stderr)


def first_line(error: BaseException) -> str:
    """The first line of its message; the name of its class if it has none."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
