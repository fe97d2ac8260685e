"""The card about visemes: which sounds were confused with which on the lips."""

from collections import Counter
from collections.abc import Iterable

from sigconv.signals.lips.visemes import VISEMES, visemes
from sigconv.train.report.alignment import aligned
from sigconv.train.report.matrix import confusion_matrix
from sigconv.train.report.section import Section

NOTHING = "none"  # paired with a viseme that was inserted or deleted

Answer = tuple[str, str, int]  # what was said, what was read, and how often


def viseme_sections(answers: Iterable[Answer]) -> list[Section]:
    """Which visemes were read for which; no card if the lexicon lacks a word that was said."""
    counts: Counter[tuple[str, str]] = Counter()
    left_out = 0
    for said, read, times in answers:
        spoken, seen = _visemes(said), _visemes(read)
        if spoken is None:
            return []
        if seen is None:
            left_out += times
            continue
        for one, other in aligned(spoken, seen):
            counts[one or NOTHING, other or NOTHING] += times
    if not counts:
        return []
    occurring = {name for pair in counts for name in pair}
    names = [name for name in dict.fromkeys([*VISEMES.values(), NOTHING]) if name in occurring]
    matrix = [[counts[one, other] for other in names] for one in names]
    note = (
        "Sounds that look alike on the lips are one viseme. Those of what was said by those of the answer, aligned; "
        f'"{NOTHING}" is beside one that the answer has too many or too few.'
    )
    if left_out:
        note += f" Answers with words outside the lexicon are left out: {left_out:,}."
    figure = confusion_matrix(matrix, names, ends=("viseme", "viseme of the answer"), recall=False)
    return [Section("Visemes", figure, note, "tall")]


def _visemes(text: str) -> list[str] | None:
    words = [visemes(word) for word in text.split()]
    return None if None in words else [viseme for word in words for viseme in word or ()]
