"""What a corpus leaves out, and why: a list in its folder, and a summary for the terminal."""

import csv
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from sigconv.words import first_few

LEFT_OUT = "left_out.csv"


class LeftOut(Exception):  # noqa: N818 (a clip that does not fit is no error)
    """A clip does not fit into the corpus, for a reason given in a few words."""


def write_list(folder: Path, reasons: Mapping[str, str]) -> None:
    """Writes `left_out.csv`, columns source and reason; no file if nothing was left out."""
    if not reasons:
        return
    with open(folder / LEFT_OUT, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["source", "reason"])
        writer.writerows(reasons.items())


def summary(what: str, reasons: Mapping[str, str], folder: Path) -> str:
    """A text such as "5 faulty recordings, listed in ...", and a line for each reason."""
    return f"{len(reasons):,} {what}, listed in {folder / LEFT_OUT}:\n{count_reasons(reasons)}"


def count_reasons(reasons: Mapping[str, str]) -> str:
    """A line for each reason: how many, and the first few names."""
    lines = []
    for reason, count in Counter(reasons.values()).most_common():
        names = [source for source, why in reasons.items() if why == reason]
        lines.append(f"  {count:,} {reason}: {first_few(names)}")
    return "\n".join(lines)
