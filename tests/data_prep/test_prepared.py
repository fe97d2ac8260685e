"""A corpus that is there, and what it is asked to be made from: a source is not ignored, nor what became of it."""

import os

import numpy as np
import pytest

from data_prep.prepared import load_prepared, with_sources
from sigconv.corpus import CorpusInfo, Example, write_corpus
from sigconv.errors import UsageError

INFO = CorpusInfo("dots", "image", "uint8", ("no", "yes"), None, "free", "nobody", "python data_prep/dots.py")


@pytest.fixture
def make(tmp_path):
    """Opens the corpus with these sources, made if it is not there."""

    def prepare(**sources):
        info = with_sources(INFO, lambda place: sorted(place.glob("*.dot")), **sources)
        dot = Example(np.ones((1, 2, 2), np.uint8), "train", "dot", label=1)
        return load_prepared(tmp_path / "corpus", info) or write_corpus(tmp_path / "corpus", info, [dot])

    return prepare


def test_another_source_is_refused_with_both_names(make, tmp_path):
    make(source=tmp_path / "part")
    with pytest.raises(UsageError) as error:
        make(source=tmp_path / "whole")
    assert str(error.value) == (
        f"{tmp_path}/corpus was made with source {tmp_path}/part, and not with source {tmp_path}/whole: "
        "leave source out to take the corpus as it is, or delete it, or choose another folder."
    )


def test_a_source_where_there_was_none_is_refused(make, tmp_path):
    make(source=None)
    with pytest.raises(UsageError, match=rf"was made without source, and not with source {tmp_path}/whole: leave"):
        make(source=tmp_path / "whole")


def test_each_of_several_sources_counts(make):
    make(source="/a", test_source="/b")
    assert make(source="/a", test_source=None)
    with pytest.raises(UsageError, match="made with test_source /b, and not with test_source /c: leave test_source"):
        make(source="/a", test_source="/c")


def test_what_is_there_needs_no_source(make, tmp_path):
    made = make(source=tmp_path / "part")
    assert make(source=None).info == made.info
    assert make(source="").info == made.info


def test_a_folder_is_the_same_however_it_is_typed(make, tmp_path, monkeypatch):
    (tmp_path / "raw").mkdir()
    (tmp_path / "link").symlink_to("raw")
    made = make(source=tmp_path / "raw")
    monkeypatch.chdir(tmp_path)
    for typed in ("raw", "./raw/", f"{tmp_path}/raw/../raw/", "link", tmp_path / "link"):
        assert make(source=typed).info == made.info


def test_a_source_that_is_gone_is_still_the_one_that_the_corpus_was_made_from(make, tmp_path):
    assert make(source=tmp_path / "part").info == make(source=tmp_path / "part").info


@pytest.fixture
def dots(tmp_path):
    """A source with two raw files, and one that is none."""
    (tmp_path / "raw").mkdir()
    for name in ("a.dot", "b.dot", "notes.txt"):
        (tmp_path / "raw" / name).write_text(name)
    return tmp_path / "raw"


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: (raw / "c.dot").touch(),
        lambda raw: (raw / "a.dot").unlink(),
        lambda raw: (raw / "a.dot").rename(raw / "c.dot"),
        lambda raw: (raw / "a.dot").write_text("mended"),
        lambda raw: os.utime(raw / "a.dot", (1, 1)),
    ],
)
def test_a_source_that_has_changed_since_is_told(make, dots, change):
    made = make(source=dots)
    (dots / "notes.txt").write_text("Monday")
    assert make(source=dots).info == made.info
    change(dots)
    with pytest.raises(UsageError) as error:
        make(source=dots)
    assert str(error.value) == (
        f"The files of source (their names, sizes or times) have changed since {dots.parent}/corpus was made: "
        "leave source out to take the corpus as it is, or delete it, or choose another folder."
    )
    assert make(source=None).info == made.info


def test_each_of_several_sources_may_change(make, dots, tmp_path):
    (tmp_path / "test").mkdir()
    make(source=dots, test_source=tmp_path / "test")
    (tmp_path / "test" / "new.dot").touch()
    assert make(source=dots, test_source=None)
    with pytest.raises(UsageError, match=r"The files of test_source .* have changed since"):
        make(source=dots, test_source=tmp_path / "test")


def test_the_damaged_one_says_how_to_make_it_again(make, tmp_path):
    make(source="/my fonts", test_source=None)
    (tmp_path / "corpus" / "train.arrow").unlink()
    with pytest.raises(UsageError, match=r"or make it again: python data_prep/dots\.py --source '/my fonts'$"):
        make(source=None, test_source=None)
