from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from data_prep import drawn
from data_prep.script import command_line
from sigconv.corpus import Corpus, CorpusInfo
from sigconv.errors import UsageError

INFO = CorpusInfo("dots", "image", "uint8", ("no", "yes"), None, "free", "nobody", "", counts={"train": 3, "test": 1})


@dataclass
class Settings:
    """What may be set.

    Args:
        height, width: of the picture, in
            pixels.
    """

    height: int = 40
    width: int = 64


def prepare(
    source: str | Path | None,
    folder: str | Path = "data/dots",
    words: str | Sequence[str] | None = None,
    loud: bool = False,
    settings: Mapping[str, int] | None = None,
) -> Corpus:
    """The corpus of dots.

    Args:
        source: where they are.
        words: with commas: which.
        settings: of the picture.

    Raises:
        UsageError: words is none.
    """
    if words == "none":
        raise UsageError("There are no words.")
    given.update(source=source, folder=folder, words=words, loud=loud, settings=settings)
    return Corpus(Path(folder), INFO, {})


given: dict[str, object] = {}
main = command_line(prepare, settings=Settings)


def test_the_flags_are_the_arguments():
    done = CliRunner().invoke(main, ["dots", "--words", "a,b", "--loud", "--width", "32"])
    assert (done.exit_code, done.output) == (0, "data/dots: 3 train, 1 test\n")
    assert given == {
        **{"source": Path("dots"), "folder": Path("data/dots"), "words": "a,b", "loud": True},
        "settings": {"height": 40, "width": 32},
    }


def test_a_mistake_is_a_line():
    done = CliRunner().invoke(main, ["dots", "--words", "none"])
    assert (done.exit_code, done.stderr) == (1, "error: There are no words.\n")
    assert CliRunner().invoke(main, []).exit_code == 2


@pytest.mark.parametrize(
    "text",
    [
        "The corpus of dots.",
        "where they are.",
        "with commas: which.",
        "[default: data/dots]",
        "of the picture, in pixels.",
    ],
)
def test_the_help_is_in_the_docstrings(text):
    help_text = " ".join(CliRunner().invoke(main, ["--help"], env={"COLUMNS": "120"}).output.split())
    assert text in help_text
    assert "--settings" not in help_text
    assert "UsageError" not in help_text


def test_the_help_of_a_script():
    help_text = " ".join(CliRunner().invoke(drawn.main, ["--help"], env={"COLUMNS": "120"}).output.split())
    assert "Draws mouths that speak sentences of GRID's grammar" in help_text
    assert "width of what is cut out, in distances between the eyes" in help_text
