"""The likeliest token of each frame."""

from collections.abc import Iterable
from itertools import groupby

from torch import Tensor

from sigconv.ctc.tokens import BLANK


def collapse(path: Iterable[int]) -> list[int]:
    """What a path spells: repetitions merged, then blanks removed."""
    return [token for token, _ in groupby(path) if token != BLANK]


def greedy_search(log_probs: Tensor) -> list[int]:
    """The tokens that the likeliest path spells (Graves et al. 2006, best path decoding).

    Args:
        log_probs: (tokens, T), or scores that rank the tokens alike.
    """
    return collapse(log_probs.argmax(0).tolist())
