"""From a network's output for each frame to a sentence."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from sigconv.ctc.beam import beam_search
from sigconv.ctc.grammar import grammar_search
from sigconv.ctc.greedy import greedy_search
from sigconv.ctc.tokens import Tokens
from sigconv.errors import UsageError
from sigconv.names import known

DECODERS = ("greedy", "beam", "grammar")


class Transcript(NamedTuple):
    """A decoded sentence. It tells no times: CTC leaves to the network where on a path a token comes, and one that sees
    much of a film puts it seconds away from where it is said.

    Attributes:
        score: natural logarithm of the probability that the network gives the text, summed over all its paths;
            comparable between decoders, and exp(score) is between 0 and 1.
    """

    text: str
    score: float


@dataclass(frozen=True)
class Decoder:
    """Turns (tokens, T) log probabilities, natural logarithms, into a `Transcript`.

    Args:
        search: maps the log probabilities to the numbers of the spoken tokens.
    """

    tokens: Tokens
    search: Callable[[Tensor], list[int]]

    def __call__(self, log_probs: Tensor) -> Transcript:
        log_probs = log_probs.double().cpu()
        numbers = self.search(log_probs)
        return Transcript(self.tokens.decode(numbers), log_probability(log_probs, numbers))


def log_probability(log_probs: Tensor, numbers: Sequence[int]) -> float:
    """The log probability of these tokens over all their paths, from (tokens, T) log probabilities on the CPU."""
    frames = log_probs.T[:, None]
    target = torch.tensor([numbers], dtype=torch.int64)
    lengths = torch.tensor([len(frames)]), torch.tensor([len(numbers)])
    return -F.ctc_loss(frames, target, *lengths, reduction="sum").item()


def make_decoder(name: str, tokens: Tokens, grammar: Mapping[str, Sequence[str]]) -> Decoder:
    """The decoder of this name: the likeliest path, prefix beam search, or the best sentence of the grammar.

    Args:
        grammar: the words of each class, in the order of a sentence; empty if there is no grammar.

    Raises UsageError for an unknown name, or for "grammar" where there is none.
    """
    known("decoder", name, DECODERS)
    if name == "grammar" and not grammar:
        raise UsageError("decoder=grammar: the corpus has no grammar; choose greedy or beam.")
    if name == "grammar":
        return Decoder(tokens, grammar_search(grammar, tokens))
    return Decoder(tokens, {"greedy": greedy_search, "beam": beam_search}[name])


def decoder_from(about: Mapping[str, Any]) -> Decoder:
    """The decoder of a finished run, from what its model file records about its corpus."""
    return make_decoder(about["decoder"], Tokens(about["tokens"], about["by"]), about["grammar"])
