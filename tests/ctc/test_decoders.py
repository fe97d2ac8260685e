"""Decoders, against every path and every sentence of small cases."""

import math
from collections import defaultdict
from collections.abc import Sequence
from itertools import chain, product

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from sigconv.ctc import Tokens, decoder_from, make_decoder
from sigconv.ctc.beam import beam_search
from sigconv.ctc.grammar import grammar_search
from sigconv.ctc.graph import Graph, best_path
from sigconv.ctc.greedy import collapse, greedy_search
from sigconv.ctc.tokens import frames_needed
from sigconv.errors import UsageError

LETTERS = Tokens(["", " ", "a", "b"], "characters")


def test_spaces_of_any_kind_and_number_are_one() -> None:
    tokens = Tokens.of([" a  b\n"], "characters")
    assert tokens.names == ("", " ", "a", "b")
    assert tokens.encode(" a  b\n") == [2, 1, 3]


def scores(tokens: int, frames: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (2 * torch.randn(tokens, frames, generator=generator, dtype=torch.float64)).log_softmax(0)


def every_path(log_probs: Tensor) -> list[tuple[tuple[int, ...], float]]:
    tokens, frames = log_probs.shape
    paths = product(range(tokens), repeat=frames)
    return [(path, sum(log_probs[token, t].item() for t, token in enumerate(path))) for path in paths]


def by_text(log_probs: Tensor) -> dict[tuple[int, ...], tuple[float, float, tuple[int, ...]]]:
    """What each path spells: the logarithm of its probability, that of its best path, and this path."""
    spelled = defaultdict(list)
    for path, score in every_path(log_probs):
        spelled[tuple(collapse(path))].append((score, path))
    return {
        text: (math.log(sum(math.exp(score) for score, _ in paths)), *max(paths)) for text, paths in spelled.items()
    }


def graph_of(tokens: Sequence[int]) -> Graph:
    """Of one sentence alone."""
    graph = Graph()
    graph.follow(tokens)
    return graph


@pytest.mark.parametrize("seed", range(6))
def test_searches_find_what_trying_everything_finds(seed: int) -> None:
    log_probs = scores(4, 5, seed)
    texts = by_text(log_probs)
    likeliest = max(every_path(log_probs), key=lambda pair: pair[1])[0]
    assert greedy_search(log_probs) == collapse(likeliest)
    assert tuple(beam_search(log_probs, width=10**4)) == max(texts, key=lambda text: texts[text][0])
    for text, (_, _, path) in texts.items():
        assert tuple(best_path(log_probs, graph_of(text))) == path


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("by", ["characters", "words"])
def test_the_grammar_gives_its_best_sentence(by: str, seed: int) -> None:
    """Among its sentences are letters and words that come twice in a row, within a word and from one to the next."""
    grammar = {"first": ["a", "aa", "b"], "second": ["a", "ba"]}
    tokens = Tokens.of(["a ba", *chain(*grammar.values())], by)
    log_probs = scores(len(tokens), 7 if by == "characters" else 4, seed)
    texts = by_text(log_probs)
    sentences = {tuple(tokens.encode(" ".join(words))) for words in product(*grammar.values())}
    best = max((text for text in texts if text in sentences), key=lambda text: texts[text][1])
    assert tuple(grammar_search(grammar, tokens)(log_probs)) == best


@pytest.mark.parametrize("words", [200, 300])
def test_a_word_may_follow_any_of_many(words: int) -> None:
    """Two words in two frames have to differ. The number of a predecessor among the others fits in a byte, or not."""
    tokens = Tokens(["", *map(str, range(words))], "words")
    search = grammar_search(dict.fromkeys(("first", "second"), tokens.names[1:]), tokens)
    for first in (0, words // 2, words - 1):
        log_probs = scores(len(tokens), 2, seed=first)
        log_probs[1 + first, 0] = 0
        both = (log_probs[1:, :1] + log_probs[1:, 1]).fill_diagonal_(-torch.inf)
        best = divmod(int(both.argmax()), words)
        assert best[0] == first
        assert search(log_probs) == [1 + word for word in best]


def test_a_long_film_takes_a_byte_for_each_frame_and_state() -> None:
    class Largest(TorchDispatchMode):
        size = 0

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            made = function(*args, **(kwargs or {}))
            if isinstance(made, Tensor):
                self.size = max(self.size, made.untyped_storage().nbytes())
            return made

    text, frames = 50 * [2, 3], 200
    with Largest() as tensor:
        best_path(scores(4, frames, 0), graph_of(text))
    states = 2 * len(text) + 2  # with a blank before and after each token, and the start
    assert tensor.size == frames * states


def test_a_letter_twice_needs_a_blank_between() -> None:
    path = [2, 2, 3, 3, 0, 3, 1, 3]  # "abb b"
    log_probs = torch.full((4, len(path)), 0.01).scatter(0, torch.tensor([path]), 0.97).log()
    for name in ("greedy", "beam"):
        read = make_decoder(name, LETTERS, {})(log_probs)
        assert read.text == "abb b"
    assert make_decoder("grammar", LETTERS, {"one": ["ab", "abb"], "two": ["a", "bb", "b"]})(log_probs) == read
    assert frames_needed(LETTERS.encode("abb b")) == 6
    with pytest.raises(UsageError, match="no sentence that is allowed fits into 5 frames"):
        best_path(log_probs[:, :5], graph_of(LETTERS.encode("abb b")))


def test_the_score_is_the_probability_of_the_text() -> None:
    log_probs = scores(4, 5, 0)
    texts = by_text(log_probs)
    for name in ("greedy", "beam"):
        decoder = make_decoder(name, LETTERS, {})
        assert decoder(log_probs).score == pytest.approx(texts[tuple(decoder.search(log_probs))][0])
    silence = torch.tensor([[0.9], [0.1 / 3], [0.1 / 3], [0.1 / 3]]).log().expand(4, 3)
    read = make_decoder("greedy", LETTERS, {})(silence)
    assert read.text == ""
    assert math.exp(read.score) == pytest.approx(0.9**3, rel=1e-6)


def test_the_likeliest_text_need_not_be_that_of_the_best_path() -> None:
    """The case of Graves' thesis: the best path is blank, the likeliest text is not."""
    log_probs = torch.tensor([[0.6, 0.6], [0.4, 0.4]]).log()
    assert greedy_search(log_probs) == []
    assert beam_search(log_probs) == [1]


def test_tokens_of_both_kinds() -> None:
    texts = ["bin blue", " set  blue "]
    letters, words = Tokens.of(texts, "characters"), Tokens.of(texts, "words")
    assert letters.names == ("", " ", "b", "e", "i", "l", "n", "s", "t", "u")
    assert words.names == ("", "bin", "blue", "set")
    for tokens in (letters, words):
        assert [tokens.decode(tokens.encode(text)) for text in texts] == ["bin blue", "set blue"]
    assert letters.decode([1, 2, 1, 1, 2, 1]) == "b b"
    with pytest.raises(UsageError, match=r"'bin now' has 'now', which is none of the words known"):
        words.encode("bin now")
    with pytest.raises(UsageError, match="no value of tokens 'letters'"):
        Tokens.of(texts, "letters")


def test_a_run_tells_its_decoder() -> None:
    about = {"tokens": ["", "bin", "set"], "by": "words", "decoder": "grammar", "grammar": {"command": ["bin"]}}
    log_probs = torch.tensor([[0.1, 0.1], [0.1, 0.2], [0.8, 0.7]]).log()
    assert decoder_from(about)(log_probs).text == "bin"
    assert decoder_from(about | {"decoder": "greedy"})(log_probs).text == "set"
    with pytest.raises(UsageError, match="no decoder 'lattice'"):
        decoder_from(about | {"decoder": "lattice"})
    with pytest.raises(UsageError, match="the corpus has no grammar; choose greedy or beam"):
        decoder_from(about | {"grammar": {}})
