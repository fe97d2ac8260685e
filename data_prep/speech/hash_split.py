"""How Speech Commands is split by speaker: the hash rule of its README, and the lists that must agree with it."""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from sigconv.errors import UsageError
from sigconv.words import first_few

# Bounds and splits: a speaker gets the split of the first bound that is above the speaker's hash, in per cent.
Rule = Sequence[tuple[int, str]]
RULE: Rule = ((10, "validation"), (20, "test"), (101, "train"))
RULE_WITHOUT_TEST: Rule = ((10, "test"), (30, "validation"), (101, "train"))  # nobody is between 10 and 20
LISTS = {"validation": "validation_list.txt", "test": "testing_list.txt"}


def speaker(name: str) -> str:
    """The speaker of a recording of this name."""
    return name.partition("_nohash_")[0]


def part(speaker: str, rule: Rule = RULE) -> str:
    """The split of a speaker, by the sha1 of the name: `which_set` of the corpus' README."""
    largest = 2**27 - 1
    percent = int(hashlib.sha1(speaker.encode()).hexdigest(), 16) % (largest + 1) * (100 / largest)
    return next(split for bound, split in rule if percent < bound)


def check_lists(root: Path, sources: Iterable[str]) -> None:
    """Raises UsageError if the corpus' lists, where they are there, contradict the rule.

    Both are by the authors, and agree. If they do not, files were renamed, or the lists are from another version: then
    neither can be trusted.

    Args:
        sources: of all recordings, such as "up/0a7c2a8d_nohash_0.wav".
    """
    there = set(sources)
    for split, name in LISTS.items():
        if not (root / name).exists():
            continue
        listed = there.intersection((root / name).read_text("utf-8").split())
        wrong = sorted(listed ^ {source for source in there if part(speaker(Path(source).name)) == split})
        if wrong:
            raise UsageError(
                f"{root / name} and the names of {len(wrong):,} recordings disagree on whether they are for {split}: "
                f"{first_few(wrong)}. Unpack the corpus again; or delete the list, to split by names."
            )
