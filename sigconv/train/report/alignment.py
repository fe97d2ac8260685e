"""Aligns two sequences with as few insertions, deletions and substitutions as possible."""

from collections.abc import Sequence


def aligned(said: Sequence[str], read: Sequence[str]) -> list[tuple[str | None, str | None]]:
    """Pairs of what was said and what was read in its place, in order, by the Levenshtein distance.

    (a, None) is a deletion: a was said, and nothing read; (None, b) is an insertion. Of several equally good
    alignments, always the same one is chosen.

    V. I. Levenshtein: Binary codes capable of correcting deletions, insertions and reversals. Soviet Physics Doklady
    10(8):707-710, 1966.
    """
    cost = [[i + j for j in range(len(read) + 1)] for i in range(len(said) + 1)]  # of the first i and the first j
    for i, a in enumerate(said, 1):
        for j, b in enumerate(read, 1):
            cost[i][j] = min(cost[i - 1][j - 1] + (a != b), cost[i - 1][j] + 1, cost[i][j - 1] + 1)
    pairs: list[tuple[str | None, str | None]] = []
    i, j = len(said), len(read)
    while i or j:
        if i and j and cost[i][j] == cost[i - 1][j - 1] + (said[i - 1] != read[j - 1]):
            i, j = i - 1, j - 1
            pairs.append((said[i], read[j]))
        elif i and cost[i][j] == cost[i - 1][j] + 1:
            i -= 1
            pairs.append((said[i], None))
        else:
            j -= 1
            pairs.append((None, read[j]))
    return pairs[::-1]
