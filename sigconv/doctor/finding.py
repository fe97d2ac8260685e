"""What an examination finds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

GIB = 1 << 30


class Status(StrEnum):
    OK = "ok"
    NOTE = "note"  # works, and worth knowing
    MISSING = "missing"  # not there; all that does not need it works
    BROKEN = "broken"  # there, and does not do what it must


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; ``fix`` says in words what to do, ``command`` is to be typed as it stands."""

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
    """``look`` finds out about ``subject``; ``remedy`` makes the command for when that itself fails."""

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
            return Finding(Status.BROKEN, text, "Install it anew:", self.remedy(), topic=self.topic)
        return Finding(Status.BROKEN, text, "This was not foreseen: please report it.", topic=self.topic)


def reason(error: BaseException) -> str:
    """What caused an exception, in one line: its kind, and the first line of what it says."""
    while error.__cause__:
        error = error.__cause__
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
