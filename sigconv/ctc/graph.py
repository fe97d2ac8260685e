"""The best path through a graph of what may be said: Viterbi's algorithm over the topology of CTC."""

from collections.abc import Iterable, Sequence
from functools import cached_property

import torch
from torch import Tensor

from sigconv.ctc.tokens import BLANK
from sigconv.errors import UsageError

START = 0  # the state before the first frame
NO_TOKEN = -1


class Graph:
    """States with one token each, and what may come before each of them: itself, and others of another token.

    Built from the start to the end. `ends` are the states that what comes next may follow.
    """

    def __init__(self) -> None:
        self.tokens = [NO_TOKEN]
        self.before = [[START]]
        self.ends = self.blank([START])

    def add(self, token: int, ends: Iterable[int]) -> int:
        """The number of a new state that may follow `ends`; it cannot follow its own token but through a blank."""
        state = len(self.tokens)
        self.tokens.append(token)
        self.before.append([state, *(end for end in ends if self.tokens[end] != token)])
        return state

    def blank(self, ends: list[int]) -> list[int]:
        """`ends`, and a blank after them that may be left out."""
        return [*ends, self.add(BLANK, ends)]

    def chain(self, tokens: Sequence[int], ends: list[int]) -> list[int]:
        """The end of a word, or of a sentence, that follows `ends`; between its tokens a blank may stand."""
        for i, token in enumerate(tokens):
            ends = [self.add(token, self.blank(ends) if i else ends)]
        return ends

    def follow(self, *words: Sequence[int]) -> None:
        """Goes on with any one of these words, and a blank that may be left out."""
        self.ends = self.blank([end for word in words for end in self.chain(word, self.ends)])

    @cached_property
    def table(self) -> Tensor:
        """(states, most states before one) int64, filled up with the state itself; of a graph that is built."""
        most = max(map(len, self.before))
        return torch.tensor([row + row[:1] * (most - len(row)) for row in self.before])


def best_path(log_probs: Tensor, graph: Graph) -> list[int]:
    """The token of each frame, of the likeliest path from the start of the graph to one of its ends.

    Args:
        log_probs: (tokens, T), natural logarithms.

    Raises UsageError where no path is as short as this.
    """
    before = graph.table
    spoken = log_probs.double().cpu()[graph.tokens].T.contiguous()
    spoken[:, START] = -torch.inf  # it is left at the first frame
    score = torch.full((len(graph.tokens),), -torch.inf, dtype=torch.float64)
    score[START] = 0
    came_from = torch.empty(spoken.shape, dtype=torch.int64)
    for frame, came in zip(spoken, came_from, strict=True):
        score, choice = score[before].max(1)
        score = score + frame
        came[:] = before.gather(1, choice[:, None])[:, 0]
    end = max(graph.ends, key=score.tolist().__getitem__)
    if score[end] == -torch.inf:
        raise UsageError(f"no sentence that is allowed fits into {log_probs.shape[1]} frames")
    path = []
    for came in came_from.flip(0):
        path.append(graph.tokens[end])
        end = int(came[end])
    return path[::-1]


def align(log_probs: Tensor, tokens: Sequence[int]) -> list[tuple[int, int]]:
    """The first and the last frame of each of these tokens on their likeliest path (forced alignment).

    Args:
        log_probs: (all tokens, T), natural logarithms.
    """
    graph = Graph()
    graph.follow(tokens)
    return runs(best_path(log_probs, graph))


def runs(path: Iterable[int]) -> list[tuple[int, int]]:
    """The first and the last frame of each token that a path spells."""
    found: list[tuple[int, int]] = []
    previous = BLANK
    for frame, token in enumerate(path):
        if token == previous != BLANK:
            found[-1] = (found[-1][0], frame)
        elif token != BLANK:
            found.append((frame, frame))
        previous = token
    return found
