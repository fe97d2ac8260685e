"""How Speech Commands is split by speaker: the hash rule of its README, and the lists that must agree with it."""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from sigconv.errors import UsageError

# Which split a speaker's hash, in per cent, is below the bound of.
Rule = Sequence[tuple[int, str]]
RULE: Rule = ((10, "validation"), (20, "test"), (101, "train"))
RULE_WITHOUT_TEST: Rule = ((10, "test"), (30, "validation"), (101, "train"))  # from 10 to 20 there is nobody
LISTS = {"validation": "validation_list.txt", "test": "testing_list.txt"}


def speaker(name: str) -> str:
    """Who speaks in a recording of this name."""
    return name.partition("_nohash_")[0]


def part(speaker: str, rule: Rule = RULE) -> str:
    """The split of a speaker, by the sha1 of the name: `which_set` of the corpus' README."""
    largest = 2**27 - 1
    percent = int(hashlib.sha1(speaker.encode()).hexdigest(), 16) % (largest + 1) * (100 / largest)
    return next(split for bound, split in rule if percent < bound)


def check_lists(root: Path, sources: Iterable[str]) -> None:
    """Raises UsageError where the corpus' lists, if they are there, put recordings elsewhere than the rule does.

    Both are the authors', and agree. If they do not, names were changed, or lists are those of another version: then
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
            more = ", ..." if len(wrong) > 5 else ""
            raise UsageError(
                f"{root / name} and the names of {len(wrong):,} recordings disagree on whether they are for {split}: "
                f"{', '.join(wrong[:5])}{more}. Unpack the corpus anew; or delete the list, to split by names."
            )
