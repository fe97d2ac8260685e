"""The protocols by which GRID's sentences are split into train, validation and test.

Splits are drawn by the hash of a sentence's name, so that all words of a sentence, and as a rule the same sentence by
several speakers, are in one split; only the protocol "unseen" splits by speaker.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from data_prep.splits import draw_splits, place
from sigconv.errors import UsageError
from sigconv.names import known

FOLDS = 5
SHARE = 0.1  # of the clips, for validation; with "speaker_dependent" for the test, too
OVERLAPPED = 255  # test sentences of each speaker
UNSEEN = {  # as many men as women each time
    "test": ("s1", "s2", "s20", "s22"),
    "validation": ("s3", "s4"),
}
PROTOCOLS = ("speaker_dependent", *(f"fold:{fold}" for fold in range(FOLDS)), "overlapped", "unseen")


def check_protocol(protocol: str, share: float, speakers: Sequence[str]) -> None:
    """Raises UsageError for an unknown protocol, an invalid share of the training clips, or too few speakers."""
    known("split of GRID", protocol, PROTOCOLS)
    if not 0 < share <= 1:
        raise UsageError(f"share={share:g}: the share of the training clips that is kept is above 0, and at most 1.")
    if protocol == "unseen":
        _split_speakers(speakers)


def split_sentences(said: Iterable[tuple[str, str]], protocol: str) -> dict[tuple[str, str], str]:
    """The split of each (speaker, sentence).

    "speaker_dependent": a tenth of each speaker's sentences for validation and a tenth for testing, as M. Wand,
    J. Koutník, J. Schmidhuber (Lipreading with long short-term memory, ICASSP 2016, arXiv:1601.08188) split within
    each speaker, who take 90 %, 5 % and 5 %. "fold:0" to "fold:4" test on each fifth in turn, and validate on a tenth
    of the rest. Y. M. Assael, B. Shillingford, S. Whiteson, N. de Freitas (LipNet, arXiv:1611.01599, 2016) define the
    other two, without a validation split of their own: "overlapped" tests on 255 sentences of each speaker, drawn at
    random there and by hash here, and validates on a tenth of the others; "unseen" tests on speakers s1, s2, s20 and
    s22, and validates on s3, a man, and s4, a woman.

    Args:
        said: the speaker and the name of each sentence.

    Raises:
        UsageError: with "unseen", some of these speakers are missing, or there is nobody else.
    """
    names = defaultdict(list)
    for speaker, name in said:
        names[speaker].append(name)
    if protocol == "unseen":
        parts = _split_speakers(tuple(names))
        return {(speaker, name): parts[speaker] for speaker in names for name in names[speaker]}
    return {(speaker, name): part for speaker in names for name, part in _split(names[speaker], protocol).items()}


def _split(names: Sequence[str], protocol: str) -> dict[str, str]:
    """The splits of one speaker's sentences."""
    if protocol == "speaker_dependent":
        return draw_splits(names, SHARE, SHARE)
    if protocol == "overlapped":
        tested = set(sorted(names, key=place)[:OVERLAPPED])
    else:
        fold = int(protocol.removeprefix("fold:"))
        tested = {name for name in names if int(place(name) * FOLDS) == fold}
    # A hash other than the test's, in which the rest is not spread evenly over [0, 1).
    validated = {name for name in names if place(f"validation {name}") < SHARE}
    return {name: "test" if name in tested else "validation" if name in validated else "train" for name in names}


def _split_speakers(speakers: Sequence[str]) -> dict[str, str]:
    parts = {speaker: split for split, members in UNSEEN.items() for speaker in members}
    missing = [speaker for speaker in parts if speaker not in speakers]
    if missing or len(speakers) == len(parts):
        raise UsageError(
            f"split=unseen tests on {', '.join(UNSEEN['test'])}, validates on {', '.join(UNSEEN['validation'])} and "
            f"trains on the others, but there {'is nobody' if not missing else 'is no'} "
            f"{', '.join(missing) or 'to train on'}: give more speakers, or take another split."
        )
    return {speaker: parts.get(speaker, "train") for speaker in speakers}


def is_kept(name: str, share: float) -> bool:
    """Whether a training sentence is in this share of them; a smaller share is a subset of a larger one."""
    return place(f"share {name}") < share
