"""The sentences of the GRID corpus: six words, one of each class in this order, such as "bin blue at f five again".

M. Cooke, J. Barker, S. Cunningham, X. Shao: An audio-visual corpus for speech perception and automatic speech
recognition. JASA 120(5):2421-2424, 2006.
"""

from collections.abc import Mapping

GRID_GRAMMAR: Mapping[str, tuple[str, ...]] = {
    "command": ("bin", "lay", "place", "set"),
    "colour": ("blue", "green", "red", "white"),
    "preposition": ("at", "by", "in", "with"),
    "letter": tuple("abcdefghijklmnopqrstuvxyz"),  # without w, the only one of more than one syllable
    "digit": ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
    "adverb": ("again", "now", "please", "soon"),
}
GRID_WORDS = tuple(word for words in GRID_GRAMMAR.values() for word in words)
