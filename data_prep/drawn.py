"""Draws mouths that speak sentences of GRID's grammar: `python data_prep/drawn.py`. It needs no download and no face.

The task is that of M. Cooke, J. Barker, S. Cunningham, X. Shao: An audio-visual corpus for speech perception and
automatic speech recognition. JASA 120(5):2421-2424, 2006. Faces, tempo, light and cameras are drawn at random; a
speaker is in one split only. Only visemes (`sigconv.signals.lips.visemes`) are drawn, so that b and p look alike, as
do c, d and t, and l and n.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from data_prep.lips.articulation import speak
from data_prep.lips.mouth_drawing import Camera, Face, shoot
from data_prep.lips.words import Cutting, Word
from data_prep.missing_classes import tell_missing
from data_prep.prepared import load_prepared
from data_prep.script import command_line, write_flags
from data_prep.splits import SPLITS, digest
from sigconv.corpus import Corpus, CorpusInfo, Example, write_corpus
from sigconv.errors import UsageError
from sigconv.signals.lips.grammar import GRID_GRAMMAR, GRID_WORDS
from sigconv.signals.lips.mouths import MouthReader

CLIP = 3.0  # seconds of a sentence
HELD_OUT = 0.15  # of the speakers, for validation, and again for the test

INFO = CorpusInfo(
    name="Drawn mouths",
    kind="video",
    dtype="uint8",
    labels=GRID_WORDS,
    rate=25,
    terms="synthetic: none",
    citation="The task: M. Cooke, J. Barker, S. Cunningham, X. Shao: An audio-visual corpus for speech perception and "
    "automatic speech recognition. JASA 120(5):2421-2424, 2006. The movement: M. M. Cohen, D. W. Massaro: Modeling "
    "coarticulation in synthetic visual speech. In: Models and techniques in computer animation, Springer 1993.",
    command="python data_prep/drawn.py",
    grammar=GRID_GRAMMAR,
)


def prepare(
    folder: str | Path = "data/drawn",
    task: str = "words",
    context: bool = True,
    seconds: float | None = 0.8,
    clips: int = 600,
    speakers: int = 20,
    seed: int = 0,
    mouth: Mapping[str, Any] | None = None,
) -> Corpus:
    """The corpus of a task, in its own folder in `folder`, created if it does not exist: uint8 (C, T, height, width).

    Of the settings of `MouthReader`, those of the picture are used here: height, width, region, rate and colour.

    Args:
        task: "words": each word is an example, and the corpus has labels. "sentences": each clip of 3 s is one, with a
            text.
        context: for words, whether to cut out `seconds` around each, shifted to lie within the clip if needed; or the
            word's frames alone.
        seconds: length of a word with its context.
        clips: total number, one sentence each.
        speakers: total number, who share the clips; 15 % of them are in validation, and 15 % in the test.
        seed: of all random draws.
        mouth: settings of `MouthReader`.

    Raises:
        UsageError: there is no such task; the numbers are out of range; or the corpus' folder holds a damaged corpus or
            something else.
    """
    if speakers < 3 or clips < speakers or seed < 0:
        raise UsageError(
            "Drawn mouths need 3 speakers at least, a clip for each, and a seed of 0 or more; these are "
            f"{speakers}, {clips} and {seed}."
        )
    reader = MouthReader(**(mouth or {}))
    cutting = Cutting(task, context, seconds, reader.rate, GRID_WORDS)
    picture = {name: getattr(reader, name) for name in ("height", "width", "region", "rate", "colour")}
    options = {**cutting.options, "clips": clips, "speakers": speakers, "seed": seed, **picture}
    command = f"{INFO.command} {write_flags(options)}"
    info = replace(INFO, labels=cutting.labels, rate=reader.rate, command=command)
    place = Path(folder, f"{task}_{digest(info.command)[:8]}")
    examples = (example for film in _films(clips, speakers, seed, reader) for example in cutting(*film))
    total = clips * (len(GRID_GRAMMAR) if task == "words" else 1)
    return load_prepared(place, info) or tell_missing(write_corpus(place, info, examples, total))


def _films(clips: int, speakers: int, seed: int, reader: MouthReader) -> Iterator[tuple[Example, list[Word]]]:
    """Sentences, each with the times of its words."""
    held_out = max(1, round(HELD_OUT * speakers))
    counts = (speakers - 2 * held_out, held_out, held_out)
    for number, split in enumerate(np.repeat(SPLITS, counts).tolist()):
        rng = np.random.default_rng((seed, number))
        speaker, face = f"drawn-{number:02d}", Face.drawn(rng)
        tempo, effort = rng.uniform(0.85, 1.2), rng.uniform(0.75, 1.15)
        for clip, words in enumerate(_sentences(len(range(number, clips, speakers)), rng)):
            spoken = speak(words, CLIP, tempo * rng.uniform(0.9, 1.1), effort, rng)
            times = np.arange(round(CLIP * reader.rate)) / reader.rate
            camera = Camera.drawn(reader.height, reader.width, reader.region, times, rng)
            frames = shoot(face, camera, spoken.mouth(times), reader.colour, rng)
            source = f"{speaker}/{clip:03d}-{_name(words)}"
            yield Example(frames, split, source, speaker=speaker), spoken.words


def _sentences(count: int, rng: np.random.Generator) -> Iterator[tuple[str, ...]]:
    """Random sentences in which the words of a class are equally frequent, give or take one."""
    rounds = [[rng.permutation(words) for _ in range(-(-count // len(words)))] for words in GRID_GRAMMAR.values()]
    yield from islice(zip(*(np.concatenate(columns).tolist() for columns in rounds), strict=False), count)


def _name(words: Sequence[str]) -> str:
    """A clip's name in GRID's style: "bbaf5a" is "bin blue at f five again", and z is zero."""
    digits = GRID_GRAMMAR["digit"]
    return "".join("z123456789"[digits.index(word)] if word in digits else word[0] for word in words)


main = command_line(prepare, mouth=MouthReader)

if __name__ == "__main__":
    main()
