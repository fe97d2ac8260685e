"""Cards that compare groups of test examples."""

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from sigconv.train.measures import ACCURACY, measure_of
from sigconv.train.report import pictures
from sigconv.train.report.section import Section
from sigconv.train.robustness import CHANGES

SPEAKERS = 20  # shown

Group = Mapping[str, Any]  # a measure of sigconv.train.measures, and how many examples were `tested`


def word_class_sections(word_classes: Mapping[str, Group] | None) -> list[Section]:
    if not word_classes:
        return []
    note = "Test examples by the class of the word that was said, in the order of a sentence."
    return [Section("Word classes", _bars("word_classes", word_classes), note)]


def speakers_sections(speakers: Mapping[str, Group]) -> list[Section]:
    """The worst speakers, where several are known."""
    if len(speakers) < 2:
        return []
    worst = sorted(speakers, key=lambda name: _errors(speakers[name]), reverse=True)[:SPEAKERS]
    which = f"The {len(worst)} of {len(speakers):,}" if len(worst) < len(speakers) else f"The {len(speakers)}"
    note = f"{which} speakers of the test split, those with the most errors first."
    return [Section("Speakers", _bars("speakers", {name: speakers[name] for name in worst}), note)]


def change_sections(metrics: Mapping[str, Any]) -> list[Section]:
    """The errors against the amount of each change of the test signals."""
    sections = []
    for name, change in CHANGES.items():
        if name in metrics:
            errors = {float(amount): ACCURACY.error(share) for amount, share in metrics[name].items()}
            picture = pictures.by_amount(name, errors, ACCURACY.error(metrics["test"]["accuracy"]), change.axis)
            sections.append(Section(f"With {name}", picture, f"Right: {change.in_words(metrics[name])}."))
    return sections


def _bars(name: str, groups: Mapping[str, Group]) -> Markup:
    return pictures.bars(name, {group: (_errors(found), found["tested"]) for group, found in groups.items()})


def _errors(group: Group) -> float:
    measure = measure_of(group)
    return measure.error(group[measure.name])
