"""The one kind of error that is the caller's to mend, and how others are told in a line."""


class UsageError(ValueError):
    """A mistake in what was asked: the message names the cause and the cure.

    The command line and the recipes print it as one line; everything else is a defect and keeps its trace.
    """


def first_line(error: BaseException) -> str:
    """The first line of its message; the name of its class if it has none."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
