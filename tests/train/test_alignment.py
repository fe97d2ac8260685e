"""Sequences side by side, against another implementation of their distance."""

import numpy as np
import pytest
from torchaudio.functional import edit_distance

from sigconv.train.report.alignment import aligned


@pytest.mark.parametrize(
    ("said", "read", "pairs"),
    [
        ("abc", "abc", [("a", "a"), ("b", "b"), ("c", "c")]),
        ("abc", "axc", [("a", "a"), ("b", "x"), ("c", "c")]),
        ("abc", "ac", [("a", "a"), ("b", None), ("c", "c")]),
        ("ac", "abc", [("a", "a"), (None, "b"), ("c", "c")]),
        ("", "a", [(None, "a")]),
        ("", "", []),
    ],
)
def test_alignment(said, read, pairs):
    assert aligned(said, read) == pairs


def test_an_alignment_keeps_both_sequences_and_is_as_short_as_can_be():
    rng = np.random.default_rng(0)
    for _ in range(100):
        said, read = (rng.choice(list("abc"), rng.integers(0, 9)).tolist() for _ in range(2))
        pairs = aligned(said, read)
        assert [a for a, _ in pairs if a is not None] == said
        assert [b for _, b in pairs if b is not None] == read
        assert sum(a != b for a, b in pairs) == edit_distance(said, read)
