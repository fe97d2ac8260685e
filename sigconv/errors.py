"""The one kind of error that is the caller's to mend."""


class UsageError(ValueError):
    """A mistake in what was asked: the message names the cause and the cure.

    The command line and the recipes print it as one line; everything else is a defect and keeps its trace.
    """
