from collections import defaultdict

import pytest

from sigconv.signals.lips.grammar import GRID_GRAMMAR
from sigconv.signals.lips.visemes import VISEMES, WORDS, visemes


def test_the_grammar_is_that_of_grid():
    assert [len(words) for words in GRID_GRAMMAR.values()] == [4, 4, 4, 25, 10, 4]
    assert len({word for words in GRID_GRAMMAR.values() for word in words}) == 51
    assert "w" not in GRID_GRAMMAR["letter"]


def test_every_word_is_in_the_lexicon_and_every_sound_has_a_viseme():
    assert list(WORDS) == [word for words in GRID_GRAMMAR.values() for word in words]
    assert len(VISEMES) == 39  # ARPAbet, as in the CMU dictionary
    assert len(set(VISEMES.values())) == 13
    assert {phoneme for phonemes in WORDS.values() for phoneme in phonemes} <= set(VISEMES)
    assert all(phoneme.lower() in viseme.split() for phoneme, viseme in VISEMES.items())


@pytest.mark.parametrize(
    ("word", "phonemes"),
    [("z", "Z EH D"), ("zero", "Z IH R OW"), ("q", "K Y UW"), ("bin", "B IH N"), ("soon", "S UW N")],
)
def test_how_words_sound(word, phonemes):
    assert WORDS[word] == tuple(phonemes.split())


def test_visemes_of_a_word():
    assert visemes("b") == visemes("p") == ("p b m", "iy ih")
    assert visemes("five") == ("f v", "aa aw ay", "f v")
    assert visemes("w") is None


def test_words_that_look_alike():
    alike = defaultdict(set)
    for word in WORDS:
        alike[visemes(word)].add(word)
    pairs = [words for words in alike.values() if len(words) > 1]
    assert sorted(map(sorted, pairs)) == [
        *(["at", "eight", "s"], ["b", "p"], ["c", "d", "t"], ["i", "r"], ["k", "lay"], ["l", "n"], ["set", "z"])
    ]
