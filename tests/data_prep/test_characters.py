"""Chinese characters: rendered from fonts, and read from CASIA's files."""

import os
import struct
from pathlib import Path

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from typer.testing import CliRunner

from data_prep import casia, glyphs
from data_prep.characters import CHARACTERS
from sigconv.errors import UsageError
from sigconv.signals.image.characters import framed

WANTED = CHARACTERS[:3]


def write_font(file: Path, characters: tuple[str, ...], thickness: int = 200) -> None:
    """In which the n-th character is a bar with n + 1 teeth."""
    names = [f"c{i}" for i in range(len(characters))]
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder([".notdef", *names])
    builder.setupCharacterMap({ord(c): name for c, name in zip(characters, names, strict=True)})
    drawn = {".notdef": TTGlyphPen(None).glyph()}
    for i, name in enumerate(names):
        pen = TTGlyphPen(None)
        for x, y, width, height in [(0, 0, 1000, thickness), *((300 * tooth, 0, 100, 800) for tooth in range(i + 1))]:
            pen.moveTo((x, y))
            for corner in ((x, y + height), (x + width, y + height), (x + width, y)):
                pen.lineTo(corner)
            pen.closePath()
        drawn[name] = pen.glyph()
    builder.setupGlyf(drawn)
    builder.setupHorizontalMetrics(dict.fromkeys(drawn, (1000, 0)))
    builder.setupHorizontalHeader(ascent=900, descent=-100)
    builder.setupPost()
    builder.save(file)


@pytest.fixture
def fonts(tmp_path: Path) -> Path:
    """Two that have the characters, one that lacks some, and a file that is no font."""
    folder = tmp_path / "fonts"
    folder.mkdir()
    write_font(folder / "a.ttf", WANTED)
    write_font(folder / "b.ttf", WANTED, thickness=350)
    write_font(folder / "c.ttf", WANTED[:2])
    (folder / "d.ttf").write_bytes(b"no font")
    return folder


def test_the_characters_are_those_of_level_1() -> None:
    assert len(CHARACTERS) == len(set(CHARACTERS)) == 3755
    assert (CHARACTERS[0], CHARACTERS[-1]) == ("啊", "座")


def test_the_longer_side_has_one_length() -> None:
    ink = np.zeros((100, 60), np.uint8)
    ink[10:90, 30:50] = 255
    picture = framed(ink)
    assert picture.shape == (1, 48, 48)
    rows, columns = np.nonzero(picture[0])
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (4, 43, 19, 28)
    assert framed(ink[50:51, 40:41]).sum() == 40 * 40 * 255  # a single dot


def test_the_last_font_is_the_tests(fonts: Path, tmp_path: Path) -> None:
    corpus = glyphs.prepare(tmp_path / "corpus", fonts, characters=3, copies=5)
    assert corpus.info.counts == {"train": 15, "validation": 3, "test": 12}
    assert corpus.labels == WANTED
    speakers = {name: set(corpus.split(name).speakers) for name in corpus.splits}
    assert speakers == {"train": {"a.ttf"}, "validation": {"a.ttf"}, "test": {"b.ttf"}}
    train = corpus.split("train")
    signals = train.signals()
    assert signals.shape == (15, 1, 48, 48)
    assert len({signal.numpy().tobytes() for signal in signals}) == 15  # each is deformed otherwise
    assert train.sources[1] == f"a.ttf/train/0/{WANTED[1]}"
    assert train.labels.tolist() == 5 * [0, 1, 2]
    ink = signals.float().mean((1, 2, 3)).reshape(5, 3).mean(0)
    assert ink[0] < ink[1] < ink[2]  # more teeth


def test_fonts_of_one_name_are_told_apart(fonts: Path, tmp_path: Path) -> None:
    for folder in ("bold", "regular"):
        (fonts / folder).mkdir()
        write_font(fonts / folder / "font.ttf", WANTED)
    (fonts / "a.ttf").unlink()
    (fonts / "b.ttf").unlink()
    corpus = glyphs.prepare(tmp_path / "corpus", fonts, characters=3, copies=1)
    assert set(corpus.split("train").speakers) == {"bold/font.ttf"}
    assert set(corpus.split("test").speakers) == {"regular/font.ttf"}


def test_the_same_arguments_give_the_same_pictures(fonts: Path, tmp_path: Path) -> None:
    first, second, other = (
        glyphs.prepare(tmp_path / name, fonts, characters=3, copies=1, seed=seed)
        for name, seed in (("one", 0), ("two", 0), ("three", 1))
    )
    assert first.info.checksums == second.info.checksums
    assert first.info.checksums != other.info.checksums
    assert glyphs.prepare(tmp_path / "one", fonts, characters=3, copies=1).info == first.info
    with pytest.raises(UsageError, match="was made by"):
        glyphs.prepare(tmp_path / "one", fonts, characters=3, copies=2)


def test_other_fonts_than_those_of_the_corpus_are_refused(fonts: Path, tmp_path: Path) -> None:
    corpus = glyphs.prepare(tmp_path / "one", fonts, characters=3, copies=1)
    with pytest.raises(UsageError, match=f"made with source {fonts}, and not with source {fonts}/a.ttf: leave source"):
        glyphs.prepare(tmp_path / "one", fonts / "a.ttf", characters=3, copies=1)
    assert glyphs.prepare(tmp_path / "one", characters=3, copies=1).info == corpus.info  # made once, it needs none
    write_font(fonts / "b.ttf", WANTED, thickness=300)
    with pytest.raises(UsageError, match="have changed since"):
        glyphs.prepare(tmp_path / "one", fonts, characters=3, copies=1)


def test_one_font_is_in_all_splits(fonts: Path, tmp_path: Path) -> None:
    corpus = glyphs.prepare(tmp_path / "corpus", fonts / "a.ttf", characters=2, copies=2)
    assert all(set(corpus.split(name).speakers) == {"a.ttf"} for name in ("train", "validation", "test"))


def test_without_a_font_it_says_which(fonts: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no font in .* has all of the 4 characters; install one"):
        glyphs.prepare(tmp_path / "corpus", fonts, characters=4)
    with pytest.raises(UsageError, match="characters is 2 to 3755"):
        glyphs.prepare(tmp_path / "corpus", fonts, characters=1)
    assert not (tmp_path / "corpus").exists()


def record(character: str, width: int, height: int) -> bytes:
    pixels = np.full((height, width), 255, np.uint8)
    pixels[2:-2, 1:-1] = 90  # as pale as a scan
    return struct.pack("<I2sHH", 10 + pixels.size, character.encode("gb18030"), width, height) + pixels.tobytes()


@pytest.fixture
def handwriting(tmp_path: Path) -> Path:
    """Writers of training and test, who also write what is no character of level 1."""
    folder = tmp_path / "HWDB1.1"
    for split, writers in (("trn", range(1001, 1031)), ("tst", range(1241, 1244))):
        for writer in writers:
            file = folder / f"HWDB1.1{split}_gnt" / f"{writer}-c.gnt"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(record("啊", 20, 60) + record("丂", 9, 9) + record("座", 50, 30))
    return folder


def test_casias_writers_are_split_and_framed(
    handwriting: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (handwriting / "HWDB1.1trn_gnt" / "._1002-c.gnt").write_bytes(b"of a Mac")
    corpus = casia.prepare(tmp_path / "casia", handwriting)
    assert "there is no 阿, 埃, 挨, 哎, 唉, ... in test (3,753 of 3,755 classes)." in capfd.readouterr().err
    validation, test = corpus.split("validation"), corpus.split("test")
    assert set(test.speakers) == {"1241-c", "1242-c", "1243-c"}
    assert 0 < len(validation) < 12
    assert not set(validation.speakers) & set(corpus.split("train").speakers)
    assert test.labels.tolist() == 3 * [0, 3754]
    rows, columns = np.nonzero(test[0][0].numpy())
    assert (rows.min(), rows.max()) == (4, 43)
    assert columns.max() - columns.min() + 1 == round(40 * 18 / 56)
    assert test[0].max() == 255  # in the pen's full tone, as `sigconv predict` reads it
    assert casia.prepare(tmp_path / "casia").info == corpus.info  # made once, it needs no source
    with pytest.raises(UsageError, match=f"made with source {handwriting}, and not with source /nowhere: leave source"):
        casia.prepare(tmp_path / "casia", "/nowhere")
    os.utime(handwriting / "HWDB1.1trn_gnt" / "1002-c.gnt", (1, 1))
    with pytest.raises(UsageError, match="have changed since"):
        casia.prepare(tmp_path / "casia", handwriting)


def test_a_damaged_file_is_named(handwriting: Path, tmp_path: Path) -> None:
    file = handwriting / "HWDB1.1trn_gnt" / "1002-c.gnt"
    file.write_bytes(file.read_bytes()[:-5])
    with pytest.raises(UsageError, match=r"1002-c.gnt is damaged at byte .*Unpack it again"):
        casia.prepare(tmp_path / "casia", handwriting)
    file.write_bytes(struct.pack("<I2sHH", 99, "啊".encode("gb18030"), 2, 2) + bytes(4))
    with pytest.raises(UsageError, match="2x2 pixels in 99 bytes"):
        casia.prepare(tmp_path / "casia", handwriting)
    assert not (tmp_path / "casia").exists()


def test_what_casia_needs_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"ask the institute.*glyphs.py"):
        casia.prepare(tmp_path / "casia")
    with pytest.raises(UsageError, match=r"holds no \.gnt file"):
        casia.prepare(tmp_path / "casia", tmp_path)
    (tmp_path / "1001-c.gnt").write_bytes(record("啊", 20, 60))
    with pytest.raises(UsageError, match=r"no writer for validation or test.*HWDB1.1tst_gnt"):
        casia.prepare(tmp_path / "casia", tmp_path)


def test_a_mistake_on_the_command_line_is_one_line(tmp_path: Path) -> None:
    result = CliRunner().invoke(glyphs.main, ["--folder", str(tmp_path / "corpus"), "--source", str(tmp_path)])
    assert result.exit_code == 1
    assert result.stderr.startswith("error: no font in ")
