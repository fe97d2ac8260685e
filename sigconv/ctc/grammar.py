"""Sentences made of one word from each of several classes, in a fixed order."""

from collections.abc import Callable, Mapping, Sequence

from torch import Tensor

from sigconv.ctc.graph import Graph, best_path
from sigconv.ctc.greedy import collapse
from sigconv.ctc.tokens import Tokens


def grammar_search(grammar: Mapping[str, Sequence[str]], tokens: Tokens) -> Callable[[Tensor], list[int]]:
    """A search in (tokens, T) log probabilities for the tokens of the likeliest path that spells an allowed sentence.

    That path has the highest probability in the whole graph of the grammar (Viterbi); nothing is pruned.

    Args:
        grammar: the words of each class, in the order of a sentence.

    Raises UsageError where a word has a token that is not among `tokens`.
    """
    graph = Graph()
    for i, words in enumerate(grammar.values()):
        if i and tokens.separator:
            graph.follow(tokens.separator)
        graph.follow(*(tokens.encode(word) for word in words))
    return lambda log_probs: collapse(best_path(log_probs, graph))
