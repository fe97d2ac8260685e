"""The preparation on a tiny FSDD: two speakers, twelve takes of two digits."""

import io
import os
import shutil
import tarfile
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from data_prep import fsdd
from sigconv.errors import UsageError

TOP = f"free-spoken-digit-dataset-{fsdd.VERSION}"


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """The unpacked dataset."""
    root = tmp_path_factory.mktemp("raw") / TOP
    (root / "recordings").mkdir(parents=True)
    (root / "README.md").write_text("# Free Spoken Digit Dataset")
    rng = np.random.default_rng(0)
    for digit in (3, 7):
        for speaker in ("jackson", "theo"):
            for take in range(12):
                path = root / "recordings" / f"{digit}_{speaker}_{take}.wav"
                soundfile.write(path, rng.uniform(-0.5, 0.5, 100 + take), 8000)
    return root


def pack(dataset):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        archive.add(dataset, TOP)
    return buffer.getvalue()


@pytest.fixture
def download(monkeypatch, server, dataset):
    """The dataset on the server, as the official one."""
    monkeypatch.setattr(fsdd, "URL", f"{server.url}/fsdd.tar.gz")
    monkeypatch.setattr(fsdd, "CONTENT", fsdd.content_hash(fsdd.find_recordings(dataset)))
    server.files["/fsdd.tar.gz"] = pack(dataset)
    return server


def parts(corpus):
    """Split -> (speaker, take)."""
    return {
        split: {tuple(source.removesuffix(".wav").split("_")[1:]) for source in corpus.split(split).sources}
        for split in corpus.splits
    }


def test_official_split(tmp_path, dataset):
    corpus = fsdd.prepare(tmp_path, dataset)
    assert corpus.folder == tmp_path / "official"
    assert corpus.info.counts == {"test": 20, "validation": 20, "train": 8}
    speakers = ("jackson", "theo")
    assert parts(corpus) == {
        "test": {(s, str(take)) for s in speakers for take in range(5)},
        "validation": {(s, str(take)) for s in speakers for take in range(5, 10)},
        "train": {(s, str(take)) for s in speakers for take in (10, 11)},
    }
    train = corpus.split("train")
    assert train.sources[0] == "recordings/3_jackson_10.wav"
    assert train.speakers[0] == "jackson"
    assert corpus.labels[train.labels[0]] == "three"
    samples = soundfile.read(dataset / "recordings" / "3_jackson_10.wav", dtype="int16")[0]
    assert np.array_equal(train[0], samples[None])


def test_copied_from_a_mac_or_a_camera(tmp_path, dataset):
    shutil.copytree(dataset / "recordings", tmp_path / "raw")
    (tmp_path / "raw" / "._7_theo_3.wav").write_text("of a Mac")
    (tmp_path / "raw" / "7_theo_3.wav").rename(tmp_path / "raw" / "7_theo_3.WAV")
    assert fsdd.prepare(tmp_path / "corpus", tmp_path / "raw").info.counts == {"test": 20, "validation": 20, "train": 8}


def test_one_speaker_left_out(tmp_path, dataset):
    corpus = fsdd.prepare(tmp_path, dataset, split="speaker:theo")
    assert corpus.folder == tmp_path / "speaker_theo"
    assert parts(corpus) == {
        "test": {("theo", str(take)) for take in range(12)},
        "validation": {("jackson", str(take)) for take in range(5, 10)},
        "train": {("jackson", str(take)) for take in (0, 1, 2, 3, 4, 10, 11)},
    }


def test_the_folder_recordings_itself_gives_the_same_corpus(tmp_path, dataset):
    one, other = fsdd.prepare(tmp_path / "a", dataset), fsdd.prepare(tmp_path / "b", dataset / "recordings")
    assert one.info == replace(other.info, sources=one.info.sources, states=one.info.states)


def test_another_source_than_that_of_the_corpus_is_refused(tmp_path, dataset):
    fsdd.prepare(tmp_path, dataset)
    with pytest.raises(UsageError, match=f"made with source {dataset}, and not with source /nowhere: leave source out"):
        fsdd.prepare(tmp_path, "/nowhere")
    os.utime(dataset / "recordings" / "3_theo_0.wav", (1, 1))
    with pytest.raises(UsageError, match="have changed since"):
        fsdd.prepare(tmp_path, dataset)
    assert fsdd.prepare(tmp_path).info.counts["train"] == 8


def test_an_unknown_split_or_speaker(tmp_path, dataset):
    with pytest.raises(UsageError, match="Did you mean speaker:theo"):
        fsdd.prepare(tmp_path, dataset, split="speaker:teo")
    with pytest.raises(UsageError, match="Did you mean official"):
        fsdd.prepare(tmp_path, dataset, split="oficial")
    assert list(tmp_path.iterdir()) == []


def test_a_source_that_is_something_else(tmp_path, dataset):
    with pytest.raises(UsageError, match=f"no recordings of FSDD in {tmp_path}"):
        fsdd.prepare(tmp_path / "corpus", tmp_path)
    soundfile.write(tmp_path / "yes.wav", np.ones(100) / 2, 8000)
    with pytest.raises(UsageError, match=r"1 files in .* are not named like those of FSDD.*yes\.wav"):
        fsdd.prepare(tmp_path / "corpus", tmp_path)
    soundfile.write(tmp_path / "1_theo_20.wav", np.ones(100) / 2, 8000)
    (tmp_path / "yes.wav").unlink()
    with pytest.raises(UsageError, match=r"None of the 1 recordings in .* belongs to validation, test"):
        fsdd.prepare(tmp_path / "corpus", tmp_path)


def test_downloads_once_for_all_splits(tmp_path, download):
    fsdd.prepare(tmp_path)
    fsdd.prepare(tmp_path)
    corpus = fsdd.prepare(tmp_path, split="speaker:jackson")
    assert corpus.info.counts["test"] == 24
    assert len(download.requests) == 1
    with pytest.raises(UsageError, match=f"was made without source, and not with source {tmp_path}/raw"):
        fsdd.prepare(tmp_path, tmp_path / "raw" / f"fsdd-{fsdd.VERSION}" / TOP)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["official", "raw", "speaker_jackson"]


def test_another_content_than_the_official_one_is_refused(tmp_path, download, monkeypatch):
    monkeypatch.setattr(fsdd, "CONTENT", "0" * 64)
    with pytest.raises(UsageError, match=rf"does not hold version {fsdd.VERSION} of FSDD: 48 recordings") as error:
        fsdd.prepare(tmp_path)
    for word in (f"Delete {tmp_path / 'raw'}", "--source", "0" * 64):
        assert word in str(error.value)


@pytest.mark.parametrize("damage", [lambda archive: archive[:-500], lambda archive: b"Please sign in."])
def test_a_damaged_archive_is_deleted_and_fetched_anew(tmp_path, download, damage):
    whole = download.files["/fsdd.tar.gz"]
    download.files["/fsdd.tar.gz"] = damage(whole)
    with pytest.raises(UsageError, match="It is deleted now: run again to fetch it again"):
        fsdd.prepare(tmp_path)
    assert list((tmp_path / "raw").iterdir()) == []
    download.files["/fsdd.tar.gz"] = whole
    assert fsdd.prepare(tmp_path).info.counts["train"] == 8


def test_an_archive_cannot_write_outside_its_folder(tmp_path, download):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("../../../escaped.wav"))
    download.files["/fsdd.tar.gz"] = buffer.getvalue()
    with pytest.raises(UsageError, match="is not a whole, safe archive"):
        fsdd.prepare(tmp_path / "a" / "b")
    assert not list(tmp_path.rglob("escaped.wav"))


def test_the_official_recordings_have_the_official_content(shared_data):
    recordings = fsdd.find_recordings(shared_data / "fsdd")
    assert len(recordings) == fsdd.COUNT
    assert fsdd.content_hash(recordings) == fsdd.CONTENT


def test_the_command(tmp_path, dataset):
    def call(*options):
        return CliRunner().invoke(fsdd.main, ["--folder", str(tmp_path), "--source", str(dataset), *options])

    done = call("--split", "speaker:theo")
    assert done.exit_code == 0
    assert f"{tmp_path}/speaker_theo: 14 train, 10 validation, 24 test\n" in done.output
    failed = call("--split", "speaker:nobody")
    assert failed.exit_code == 1
    assert failed.stderr.startswith("error: there is no split of FSDD 'speaker:nobody'")
