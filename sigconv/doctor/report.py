"""The findings as text for a terminal."""

import textwrap
from collections import Counter
from collections.abc import Sequence
from itertools import chain, groupby
from typing import Any

from sigconv.doctor.finding import Finding, Status

WHOLE_WORDS: Any = {"break_long_words": False, "break_on_hyphens": False}
INDENT = 2 + max(map(len, Status)) + 2


def format_findings(findings: Sequence[Finding], width: int = 80) -> str:
    """One section per topic; only commands may be longer than ``width``, so that they can be copied."""
    sections = []
    for topic, group in groupby(findings, lambda finding: finding.topic):
        here = list(group)
        lines = [_lines(found, following, width) for found, following in zip(here, [*here[1:], None], strict=True)]
        sections.append("\n".join([topic, *chain(*lines)]))
    return "\n\n".join([*sections, _verdict(findings)])


def _lines(finding: Finding, following: Finding | None, width: int) -> list[str]:
    """A command that also fixes the next finding is given only once, below it."""
    margin = " " * INDENT
    lines = _wrap(finding.text, width, f"  {finding.status}".ljust(INDENT), margin)
    if following and finding.command and following.command == finding.command:
        return lines
    lines += _wrap(finding.fix, width, margin, margin)
    return [*lines, f"{margin}$ {finding.command}"] if finding.command else lines


def _wrap(text: str, width: int, first: str, margin: str) -> list[str]:
    """No word is broken, so that it can be copied; a no-break space keeps a name and its version on one line."""
    lines = textwrap.wrap(text, width, initial_indent=first, subsequent_indent=margin, **WHOLE_WORDS)
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in lines]


def _verdict(findings: Sequence[Finding]) -> str:
    counts = Counter(finding.status for finding in findings)
    told = [f"{counts[status]} {status}" for status in (Status.BROKEN, Status.MISSING) if counts[status]]
    return f"{', '.join(told)}: what mends it stands above." if told else "Nothing is broken or missing."
