import os
import shutil
from functools import partial

import pytest
from films import film
from mouth_readers import WholePicture
from typer.testing import CliRunner

from data_prep import lrw
from sigconv.errors import UsageError


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Three words with two clips each in each split, in the BBC's layout."""
    source = tmp_path_factory.mktemp("lrw")
    for word in ("ABOUT", "BECAUSE", "CHANGE"):
        for split in ("train", "val", "test"):
            for number in (1, 2):
                path = source / "lipread_mp4" / word / split / f"{word}_{number:05d}.mp4"
                film(path, code="mp4v", frames=29)
                path.with_name(f"._{path.name}").write_text("of a Mac")
                path.with_suffix(".txt").write_text("Disk reference: 1\nDuration: 0.53 seconds\n")
    return source


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(lrw, "MouthReader", partial(WholePicture, height=6, width=8))


def test_the_official_splits(tmp_path, source, small):
    corpus = lrw.prepare(source, tmp_path, workers=1)
    assert corpus.labels == ("ABOUT", "BECAUSE", "CHANGE")
    assert corpus.info.counts == {"train": 6, "validation": 6, "test": 6}
    assert corpus.split("validation").shapes.unique(dim=0).tolist() == [[1, 29, 6, 8]]
    for split, folder in (("train", "train"), ("validation", "val"), ("test", "test")):
        part = corpus.split(split)
        for source_name, label in zip(part.sources, part.labels, strict=True):
            assert source_name.startswith(f"{corpus.labels[label]}/{folder}/")
    some = lrw.prepare(source / "lipread_mp4", tmp_path, words="change,about")
    assert some.labels == ("CHANGE", "ABOUT")
    assert some.folder != corpus.folder
    assert some.info.counts == {"train": 4, "validation": 4, "test": 4}


def test_a_source_with_other_clips_makes_another_corpus(tmp_path, source, small):
    sample = tmp_path / "sample"
    shutil.copytree(source, sample)
    (sample / "lipread_mp4" / "ABOUT" / "test" / "ABOUT_00002.mp4").unlink()
    part, whole = (lrw.prepare(place, tmp_path / "lrw", workers=1) for place in (sample, source))
    assert part.info.command == whole.info.command
    assert (part.info.counts["test"], whole.info.counts["test"]) == (5, 6)
    os.utime(sample / "lipread_mp4" / "ABOUT" / "test" / "ABOUT_00001.mp4", (1, 1))
    with pytest.raises(UsageError, match=f"have changed since {part.folder} was made: delete it"):
        lrw.prepare(sample, tmp_path / "lrw")


def test_words_of_half_a_download_are_told(tmp_path, source, small, capfd):
    sample = tmp_path / "sample"
    shutil.copytree(source, sample)
    words = sample / "lipread_mp4"
    shutil.copytree(words / "ABOUT", words / "ABUSE")
    shutil.rmtree(words / "ABOUT" / "test")
    for path in (words / "ABUSE" / "val").iterdir():
        path.unlink()
    shutil.rmtree(words / "CHANGE" / "train")
    (words / "__MACOSX").mkdir()
    corpus = lrw.prepare(sample, tmp_path / "lrw", workers=1)
    assert corpus.labels == ("ABOUT", "ABUSE", "BECAUSE")
    assert corpus.info.counts == {"train": 6, "validation": 4, "test": 4}
    told = capfd.readouterr().err
    assert f"LRW: of 4 words in {words} 3 are incomplete." in told
    assert "\n  1 without clips in test: ABOUT\n" in told
    assert "\n  1 without clips in val: ABUSE\n" in told
    assert "\n  1 without clips in train, and left out: CHANGE\n" in told
    with pytest.raises(UsageError, match=r"no clips to learn CHANGE from.*: bring them, or leave these out"):
        lrw.prepare(sample, tmp_path / "lrw", words="because,change")
    shutil.rmtree(words / "CHANGE")
    lrw.prepare(sample, tmp_path / "lrw", words="because", workers=1)
    assert "incomplete" not in capfd.readouterr().err


def test_a_split_of_which_no_clip_is_left(tmp_path, source, small):
    sample = tmp_path / "sample"
    shutil.copytree(source, sample)
    for path in sample.rglob("test/*.mp4"):
        path.write_text("no video")
    told = r"no clip is left for test: there are 18, and of them 6 are left out\. .*, or take other words"
    with pytest.raises(UsageError, match=told):
        lrw.prepare(sample, tmp_path / "lrw", workers=1)


def test_what_cannot_be_prepared(tmp_path, source):
    with pytest.raises(UsageError, match="agreement with the BBC: see https:"):
        lrw.prepare(None, tmp_path)
    with pytest.raises(UsageError, match="single words only"):
        lrw.prepare(source, tmp_path, task="sentences")
    with pytest.raises(UsageError, match="Did you mean ABOUT"):
        lrw.prepare(source, tmp_path, words=["ABOUTS"])
    with pytest.raises(UsageError, match="no word of LRW '7'"):
        lrw.prepare(source, tmp_path, words=7)
    with pytest.raises(UsageError, match="There are no clips of LRW"):
        lrw.prepare(tmp_path, tmp_path)


def test_the_command(tmp_path):
    failed = CliRunner().invoke(lrw.main, [str(tmp_path), "--folder", str(tmp_path / "lrw"), "--region", "2"])
    assert failed.exit_code == 1
    assert failed.stderr.startswith("error: There are no clips of LRW")
