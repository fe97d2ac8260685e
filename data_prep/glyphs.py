"""Renders Chinese characters from the fonts of this machine, deformed, as a corpus: `python data_prep/glyphs.py`.

Each font stands for a writer. If there are several, one is left out of training for the test.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from fontTools.ttLib import TTFont, TTLibError
from matplotlib.font_manager import findSystemFonts
from PIL import Image, ImageDraw, ImageFont

from data_prep.characters import CHARACTERS
from data_prep.prepared import load_prepared, with_sources
from data_prep.script import command_line
from data_prep.splits import place
from sigconv.corpus import Corpus, CorpusInfo, Example, write_corpus
from sigconv.errors import UsageError
from sigconv.signals.image import RandomWarp
from sigconv.signals.image.characters import framed

DRAWN = 96  # pixels at which a glyph is rendered before it is resized
HELD_OUT = {"validation": 1, "test": 4}  # pictures of each character; see `prepare`
AT_ONCE = 500  # pictures that are deformed together

# Chosen by eye, to differ as much as two people's writing.
WARP = {"degrees": 8, "translate": 2, "scale": 0.12, "shear": 10, "elastic_alpha": 40, "elastic_sigma": 6}

INFO = CorpusInfo(
    name="Chinese characters, rendered",
    kind="image",
    dtype="uint8",
    labels=CHARACTERS,
    rate=None,
    terms="the fonts' own",
    citation="The classes: GB 2312-80, level 1. The task: C.-L. Liu, F. Yin, D.-H. Wang, Q.-F. Wang: CASIA online and "
    "offline Chinese handwriting databases. ICDAR 2011.",
    command="python data_prep/glyphs.py",
)


def prepare(
    folder: str | Path = "data/glyphs",
    source: str | Path | None = None,
    characters: int = len(CHARACTERS),
    copies: int = 10,
    seed: int = 0,
) -> Corpus:
    """The corpus in `folder`, created if it does not exist: uint8 images (1, 48, 48), paper 0, ink up to 255.

    Of the font files that have all the characters, the last by path is for the test, and the others are for training
    and validation. If there is only one, all splits use it, with different deformations. A family with several files
    counts as several writers: to avoid that, name a folder with one file of each.

    Args:
        source: a folder with fonts, or one font; by default those of the system.
        characters: how many of the 3,755, from the first on.
        copies: training pictures of each character in each font; there is one for validation, and four for the test.
        seed: of the deformations.

    Raises UsageError: no font has the characters; a number is out of range; or `folder` holds something else,
        such as a corpus made with other arguments.
    """
    if not 2 <= characters <= len(CHARACTERS) or copies < 1:
        raise UsageError(f"characters is 2 to {len(CHARACTERS)} and copies 1 or more, not {characters} and {copies}.")
    wanted = CHARACTERS[:characters]
    command = f"{INFO.command} --characters {characters} --copies {copies} --seed {seed}"
    info = with_sources(replace(INFO, labels=wanted, command=command), find_fonts, source=source)
    prepared = load_prepared(Path(folder), info)
    if prepared is not None:
        return prepared
    plan = _splits(fonts_with(wanted, source), copies)
    return write_corpus(folder, info, _examples(wanted, plan, seed), characters * sum(number for _, _, number in plan))


def fonts_with(characters: Sequence[str], source: str | Path | None = None) -> list[Path]:
    """Font files that have all the characters, sorted by path: from `source`, or from the system."""
    needed = set(map(ord, characters))
    found = [file for file in find_fonts(source) if needed <= _coded(file)]
    if not found:
        where = "on this machine" if source is None else f"in {source}"
        raise UsageError(
            f"no font {where} has all of the {len(characters)} characters; install one, such as Debian's "
            "fonts-wqy-zenhei, fonts-wqy-microhei and fonts-arphic-uming, or name a folder of fonts as source."
        )
    return found


def find_fonts(source: str | Path | None) -> list[Path]:
    """The font files in `source`, which may be one itself, or of the system."""
    if source is not None and Path(source).is_file():
        return [Path(source)]
    return sorted(Path(file) for file in findSystemFonts(None if source is None else [str(source)]))


def _coded(file: Path) -> set[int]:
    """The characters that a font has; none if it cannot be read."""
    try:
        with TTFont(file, fontNumber=0, lazy=True) as font:
            return set(font.getBestCmap() or ())
    except (TTLibError, OSError, KeyError):
        return set()


def _splits(fonts: Sequence[Path], copies: int) -> list[tuple[str, Path, int]]:
    """(split, font, pictures of each character)."""
    known, held_out = (fonts[:-1], fonts[-1]) if len(fonts) > 1 else (fonts, fonts[0])
    plan = [("train", font, copies) for font in known]
    plan += [("validation", font, HELD_OUT["validation"]) for font in known]
    return [*plan, ("test", held_out, HELD_OUT["test"])]


def _examples(characters: Sequence[str], plan: Sequence[tuple[str, Path, int]], seed: int) -> Iterator[Example]:
    names = _names([font for _, font, _ in plan])
    for split, font, copies in plan:
        face = ImageFont.truetype(str(font), DRAWN)
        drawn = np.stack([render(face, character) for character in characters])
        for copy in range(copies):
            for begin in range(0, len(characters), AT_ONCE):
                name = f"{names[font]}/{split}/{copy}"
                pictures = _deformed(drawn[begin : begin + AT_ONCE], f"{seed}/{name}/{begin}")
                for label, picture in enumerate(pictures, begin):
                    yield Example(picture, split, f"{name}/{characters[label]}", label=label, speaker=names[font])


def _names(fonts: Sequence[Path]) -> dict[Path, str]:
    """A name for each font: its path, without the folders that all have in common."""
    shared = Path(os.path.commonpath([font.parent for font in fonts]))
    return {font: font.relative_to(shared).as_posix() for font in fonts}


def render(font: ImageFont.FreeTypeFont, character: str) -> np.ndarray:
    """(1, SIZE, SIZE) uint8, as in the font, not deformed."""
    canvas = Image.new("L", (2 * DRAWN, 2 * DRAWN))
    ImageDraw.Draw(canvas).text((DRAWN, DRAWN), character, fill=255, font=font, anchor="mm")
    ink = np.asarray(canvas)
    if not ink.any():
        raise UsageError(f"{font.path!s} draws nothing for {character}; take it out of the fonts.")
    return framed(ink)


def _deformed(pictures: np.ndarray, key: str) -> np.ndarray:
    """(N, 1, SIZE, SIZE) uint8, each deformed by a different random map, which the key determines."""
    with torch.random.fork_rng([]):
        torch.manual_seed(int(place(key) * 2**52))
        warped = RandomWarp(**WARP).train()(torch.from_numpy(pictures).float())
    return warped.round().clamp(0, 255).byte().numpy()


main = command_line(prepare)

if __name__ == "__main__":
    main()
