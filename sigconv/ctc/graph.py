"""The best path through a graph of what may be said: the Viterbi algorithm on the CTC topology."""

from collections.abc import Iterable, Sequence
from functools import cached_property

import torch
from torch import Tensor

from sigconv.ctc.tokens import BLANK
from sigconv.errors import UsageError

START = 0  # the state before the first frame
NO_TOKEN = -1


class Graph:
    """States with one token each, and the predecessors of each: itself, and states with a different token.

    Built from start to end; `ends` are the states that whatever is added next may follow.
    """

    def __init__(self) -> None:
        self.tokens = [NO_TOKEN]
        self.before = [[START]]
        self.ends = self.blank([START])

    def add(self, token: int, ends: Iterable[int]) -> int:
        """Adds a state that may follow those `ends` that have a different token; returns its number."""
        state = len(self.tokens)
        self.tokens.append(token)
        self.before.append([state, *(end for end in ends if self.tokens[end] != token)])
        return state

    def blank(self, ends: list[int]) -> list[int]:
        """Adds an optional blank after `ends`; returns `ends` and the blank."""
        return [*ends, self.add(BLANK, ends)]

    def chain(self, tokens: Sequence[int], ends: list[int]) -> list[int]:
        """Adds a word or a sentence after `ends`, with optional blanks between its tokens; returns its end."""
        for i, token in enumerate(tokens):
            ends = [self.add(token, self.blank(ends) if i else ends)]
        return ends

    def follow(self, *words: Sequence[int]) -> None:
        """Continues the graph with any one of these words, then an optional blank."""
        self.ends = self.blank([end for word in words for end in self.chain(word, self.ends)])

    @cached_property
    def table(self) -> Tensor:
        """The predecessors, int64 (states, most that any has), padded with the state itself; of a finished graph."""
        most = max(map(len, self.before))
        return torch.tensor([row + row[:1] * (most - len(row)) for row in self.before])


def best_path(log_probs: Tensor, graph: Graph) -> list[int]:
    """The token of each frame on the likeliest path from the start of the graph to one of its ends.

    Args:
        log_probs: (tokens, T), natural logarithms.

    Raises UsageError if no path fits into T frames.
    """
    before, tokens = graph.table, torch.tensor(graph.tokens)
    frames = log_probs.double().cpu().T.contiguous()
    score = torch.full((len(tokens),), -torch.inf, dtype=torch.float64)
    score[START] = 0
    # A long film has many frames times many states: all that is kept of each is which of its predecessors it had.
    choices = torch.empty((len(frames), len(tokens)), dtype=torch.uint8 if before.shape[1] <= 256 else torch.int32)
    for frame, choice in zip(frames, choices, strict=True):
        score, choice[:] = score[before].max(1)
        score = score + frame[tokens]
        score[START] = -torch.inf  # the first frame leaves it
    end = max(graph.ends, key=score.tolist().__getitem__)
    if score[end] == -torch.inf:
        raise UsageError(f"no sentence that is allowed fits into {log_probs.shape[1]} frames")
    path = []
    for choice in reversed(choices.unbind()):
        path.append(graph.tokens[end])
        end = int(before[end, int(choice[end])])
    return path[::-1]
