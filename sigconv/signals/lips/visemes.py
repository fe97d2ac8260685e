"""How words look: the sounds of the 51 words of GRID, and the visemes, classes of sounds that look alike on the lips.

Sounds are ARPAbet phonemes without stress, as in British English: r is heard only before a vowel, and z is "zed". The
visemes are those of S. Lee, D. Yook: Audio-to-visual conversion using hidden Markov models. PRICAI 2002, as listed by
L. Cappelletta, N. Harte: Phoneme-to-viseme mapping for visual speech recognition. ICPRAM 2012.
"""

from collections.abc import Mapping

from sigconv.signals.lips.grammar import GRID_GRAMMAR

# A viseme is named by the sounds that it stands for.
VISEMES: Mapping[str, str] = {
    phoneme: viseme.lower()
    for viseme in (
        "P B M",
        "T D S Z TH DH",
        "K G N NG L Y HH",
        "CH JH SH ZH",
        "F V",
        "R W",
        "IY IH",
        "EH EY AE",
        "AA AW AY",
        "AH",
        "AO OY OW",
        "UH UW",
        "ER",
    )
    for phoneme in viseme.split()
}

_SPOKEN = {
    "command": "B IH N, L EY, P L EY S, S EH T",
    "colour": "B L UW, G R IY N, R EH D, W AY T",
    "preposition": "AE T, B AY, IH N, W IH DH",
    "letter": "EY, B IY, S IY, D IY, IY, EH F, JH IY, EY CH, AY, JH EY, K EY, EH L, EH M, EH N, OW, P IY, K Y UW, AA, "
    "EH S, T IY, Y UW, V IY, EH K S, W AY, Z EH D",
    "digit": "Z IH R OW, W AH N, T UW, TH R IY, F AO, F AY V, S IH K S, S EH V AH N, EY T, N AY N",
    "adverb": "AH G EH N, N AW, P L IY Z, S UW N",
}
WORDS: Mapping[str, tuple[str, ...]] = {
    word: tuple(phonemes.split())
    for name, words in GRID_GRAMMAR.items()
    for word, phonemes in zip(words, _SPOKEN[name].split(","), strict=True)
}


def visemes(word: str) -> tuple[str, ...] | None:
    """The visemes of a word, such as ("p b m", "iy ih") for "b"; None for a word that is not in `WORDS`."""
    phonemes = WORDS.get(word)
    return None if phonemes is None else tuple(VISEMES[phoneme] for phoneme in phonemes)
