"""What an examination finds."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

GIB = 1 << 30


class Status(StrEnum):
    OK = "ok"
    NOTE = "note"  # works, but is worth knowing
    MISSING = "missing"  # not there; everything that does not need it works
    BROKEN = "broken"  # there, but does not do what it must


@dataclass(frozen=True)
class Finding:
    """The result of one check; ``fix`` says in words what to do, ``command`` is to be typed as it stands."""

    status: Status
    text: str
    fix: str = ""
    command: str = ""
    topic: str = ""

    @property
    def fatal(self) -> bool:
        return self.status is Status.BROKEN


@dataclass(frozen=True)
class Examination:
    """``look`` examines ``subject``; ``remedy`` gives the command to suggest if ``look`` itself fails."""

    topic: str
    subject: str
    look: Callable[[], Iterable[Finding]]
    remedy: Callable[[], str] | None = None

    def findings(self) -> list[Finding]:
        found = []
        try:
            for finding in self.look():
                found.append(replace(finding, topic=self.topic))
        except (Exception, SystemExit) as error:
            found.append(self.failed(reason(error)))
        return found

    def failed(self, why: str) -> Finding:
        text = f"{self.subject}: {why}"
        if self.remedy:
            return Finding(Status.BROKEN, text, "Reinstall it:", self.remedy(), topic=self.topic)
        return Finding(Status.BROKEN, text, "This was not foreseen: please report it.", topic=self.topic)


def reason(error: BaseException) -> str:
    """The root cause of an exception in one line: its type, and the first line of its message."""
    while error.__cause__:
        error = error.__cause__
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
