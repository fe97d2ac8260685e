"""The preparation on a tiny AudioMNIST: all 60 speakers, one take of one digit, at 48 kHz."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from data_prep import audiomnist
from sigconv.errors import UsageError


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """The unpacked dataset."""
    root = tmp_path_factory.mktemp("raw") / "AudioMNIST-master"
    tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(4800) / 48_000)
    for speaker in range(1, 61):
        folder = root / "data" / f"{speaker:02d}"
        folder.mkdir(parents=True)
        soundfile.write(folder / f"{speaker % 10}_{speaker:02d}_49.wav", tone, 48_000)
    (root / "data" / "01" / "._1_01_49.wav").write_text("of a Mac")
    (root / "data" / "audioMNIST_meta.txt").write_text("{}")
    return root


def speakers(corpus, split):
    return set(map(int, corpus.split(split).speakers))


@pytest.fixture(scope="module")
def fold_0(tmp_path_factory, dataset):
    return audiomnist.prepare(tmp_path_factory.mktemp("corpus"), dataset)


def test_is_brought_to_16_khz(fold_0):
    assert fold_0.folder.name == "fold_0"
    assert fold_0.split("train").shapes.tolist() == [[1, 1600]] * 36
    assert fold_0.info.rate == 16_000


def test_another_source_than_that_of_the_corpus_is_refused(fold_0, dataset):
    with pytest.raises(UsageError, match=f"made with source {dataset}, and not with source /nowhere: leave source out"):
        audiomnist.prepare(fold_0.folder.parent, "/nowhere")
    assert audiomnist.prepare(fold_0.folder.parent).info == fold_0.info


def test_a_source_that_has_changed_since_is_told(fold_0, dataset):
    (dataset / "data" / "01" / "0_01_99.wav").touch()
    with pytest.raises(UsageError, match="have changed since"):
        audiomnist.prepare(fold_0.folder.parent, dataset)
    (dataset / "data" / "01" / "0_01_99.wav").unlink()


def test_labels_and_sources(fold_0):
    train = fold_0.split("train")
    index = train.sources.index("data/56/6_56_49.wav")
    assert fold_0.labels[train.labels[index]] == "six"
    assert train.speakers[index] == "56"


def test_fold_0_is_the_authors(fold_0):
    assert speakers(fold_0, "validation") == {12, 47, 59, 15, 27, 41, 4, 11, 21, 31, 44, 50}
    assert speakers(fold_0, "test") == {26, 52, 60, 18, 32, 42, 5, 13, 22, 33, 45, 51}


def test_fold_3_is_the_authors(tmp_path, dataset):
    corpus = audiomnist.prepare(tmp_path, dataset / "data", split="fold:3")
    assert corpus.folder == tmp_path / "fold_3"
    assert speakers(corpus, "validation") == {36, 57, 9, 24, 37, 2, 8, 17, 29, 39, 48, 54}
    assert speakers(corpus, "test") == {43, 58, 14, 25, 38, 3, 10, 20, 30, 40, 49, 55}


def test_each_fold_has_each_speaker_once_and_each_speaker_is_tested_once():
    folds = [audiomnist.split_speakers(f"fold:{fold}") for fold in range(5)]
    for fold in folds:
        assert sorted(map(int, fold)) == list(range(1, 61))
        assert [list(fold.values()).count(part) for part in ("train", "validation", "test")] == [36, 12, 12]
    for speaker in folds[0]:
        assert [fold[speaker] for fold in folds].count("test") == 1


def test_an_unknown_fold(tmp_path, dataset):
    with pytest.raises(UsageError, match="Did you mean fold"):
        audiomnist.prepare(tmp_path, dataset, "fold:5")


def test_a_source_that_is_something_else(tmp_path):
    with pytest.raises(UsageError, match=f"no recordings of AudioMNIST in {tmp_path}"):
        audiomnist.prepare(tmp_path / "corpus", tmp_path)
    Path(tmp_path, "61").mkdir()
    soundfile.write(tmp_path / "61" / "0_61_0.wav", np.ones(100) / 2, 8000)
    with pytest.raises(UsageError, match=r"1 files .* not named like those of AudioMNIST.*61/0_61_0\.wav"):
        audiomnist.prepare(tmp_path / "corpus", tmp_path)


def test_a_download_must_be_complete(tmp_path, dataset, server, monkeypatch):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        archive.add(dataset, "AudioMNIST-master")
    server.files["/audiomnist.tar.gz"] = buffer.getvalue()
    monkeypatch.setattr(audiomnist, "URL", f"{server.url}/audiomnist.tar.gz")
    with pytest.raises(UsageError, match="holds 60 recordings, but AudioMNIST has 30,000"):
        audiomnist.prepare(tmp_path)
    monkeypatch.setattr(audiomnist, "TAKES", 0.1)
    assert audiomnist.prepare(tmp_path).info.counts == {"train": 36, "validation": 12, "test": 12}
    assert len(server.requests) == 1


def test_the_command(tmp_path, dataset):
    done = CliRunner().invoke(
        audiomnist.main, ["--folder", str(tmp_path), "--source", str(dataset), "--split", "fold:4"]
    )
    assert done.exit_code == 0
    assert f"{tmp_path}/fold_4: 36 train, 12 validation, 12 test\n" in done.output
