import csv

import numpy as np
import pytest
import soundfile

from data_prep.prepared import load_prepared
from data_prep.speech.recordings import Item, write_recordings
from sigconv.corpus import Corpus, CorpusInfo
from sigconv.errors import UsageError

RATE = 8000
INFO = CorpusInfo("tones", "audio", "int16", ("low", "high"), RATE, "none", "nobody", "python make_tones.py")


def tone(frequency, level=0.3, seconds=0.1):
    return level * np.sin(2 * np.pi * frequency * np.arange(round(seconds * RATE)) / RATE)


@pytest.fixture
def raw(tmp_path):
    """Two healthy recordings of each label, and one of each fault, all named in `items`."""
    raw = tmp_path / "raw"
    raw.mkdir()
    for i in range(2):
        soundfile.write(raw / f"low{i}.wav", tone(200 + i), RATE)
        soundfile.write(raw / f"high{i}.wav", tone(900 + i), RATE)
    soundfile.write(raw / "clipped.wav", np.clip(tone(300, 5), -1, 1), RATE)
    soundfile.write(raw / "silent.wav", np.zeros(800), RATE)
    soundfile.write(raw / "empty.wav", np.zeros(0), RATE)
    (raw / "text.wav").write_text("no sound" * 9)
    (raw / "truncated.wav").write_bytes((raw / "low0.wav").read_bytes()[:-200])
    return raw


@pytest.fixture
def items(raw):
    def item(name, split):
        return Item(raw / name, name, "high" if "high" in name else "low", split, name[:3])

    splits = dict.fromkeys((path.name for path in sorted(raw.iterdir())), "train")
    splits |= {"low1.wav": "test", "high1.wav": "test"}
    return [item(name, split) for name, split in splits.items()]


FAULTY = {
    "clipped.wav": "clipped",
    "empty.wav": "empty",
    "silent.wav": "silent",
    "text.wav": "not audio",
    "truncated.wav": "truncated",
}


def listed(folder):
    with open(folder / "left_out.csv", newline="") as file:
        return {row["source"]: row["reason"] for row in csv.DictReader(file)}


def test_writes_what_is_healthy_and_lists_the_rest(tmp_path, items, raw, capfd):
    corpus = write_recordings(tmp_path / "corpus", INFO, items)
    assert corpus.info.counts == {"train": 2, "test": 2}
    train = corpus.split("train")
    assert (train.sources, train.speakers) == (["high0.wav", "low0.wav"], ["hig", "low"])
    assert train.labels.tolist() == [1, 0]
    assert np.array_equal(train[1][0], soundfile.read(raw / "low0.wav", dtype="int16")[0])
    assert listed(tmp_path / "corpus") == FAULTY
    told = capfd.readouterr().err
    assert f"5 faulty recordings, listed in {tmp_path}/corpus/left_out.csv" in told
    assert "1 not audio: text.wav" in told
    assert sorted(path.name for path in tmp_path.iterdir()) == ["corpus", "raw"]


def test_keep_keeps_what_can_be_understood(tmp_path, items):
    corpus = write_recordings(tmp_path / "corpus", INFO, items, faulty="keep")
    assert corpus.split("train").sources == ["clipped.wav", "high0.wav", "low0.wav"]
    assert listed(tmp_path / "corpus") == FAULTY | {"clipped.wav": "clipped, kept"}


def test_refuse_lists_all_and_leaves_nothing(tmp_path, items):
    with pytest.raises(UsageError, match="5 of 9 recordings are faulty") as error:
        write_recordings(tmp_path / "corpus", INFO, items, faulty="refuse")
    for source, reason in FAULTY.items():
        assert f"{source}: {reason}" in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


def test_no_list_where_nothing_is_faulty(tmp_path, items, capfd):
    healthy = [item for item in items if item.source not in FAULTY]
    corpus = write_recordings(tmp_path / "corpus", INFO, healthy, faulty="refuse")
    assert not (corpus.folder / "left_out.csv").exists()
    assert "faulty" not in capfd.readouterr().err


def test_the_terminal_shows_a_few_names_of_each_reason(tmp_path, items, capfd):
    missing = [Item(tmp_path / f"{i}.wav", f"{i}.wav", "low", "train", None) for i in range(7)]
    write_recordings(tmp_path / "corpus", INFO, items + missing)
    assert "  7 missing: 0.wav, 1.wav, 2.wav, 3.wav, 4.wav, ...\n" in capfd.readouterr().err


def test_a_label_of_which_nothing_would_be_left(tmp_path, items):
    lost = [item for item in items if item.source != "low0.wav"]
    with pytest.raises(UsageError, match="no recording would be left of low for train") as error:
        write_recordings(tmp_path / "corpus", INFO, lost)
    assert ", since all are faulty. Mend or remove these, or add others:\n" in str(error.value)
    assert "1 silent: silent.wav" in str(error.value)
    assert not (tmp_path / "corpus").exists()


def test_a_label_that_a_split_never_had_is_told(tmp_path, items, capfd):
    write_recordings(tmp_path / "whole", INFO, items)
    assert "there is no" not in capfd.readouterr().err
    write_recordings(tmp_path / "tones", INFO, [item for item in items if item.source != "high1.wav"])
    assert "tones: there is no high in test (1 of 2 classes)." in capfd.readouterr().err


def test_what_is_trained_on_and_tested_under_two_names_is_told(tmp_path, items, raw, capfd):
    whole = [item for item in items if item.source not in FAULTY]
    write_recordings(tmp_path / "apart", INFO, whole)
    assert "In two splits" not in capfd.readouterr().err
    (raw / "copy.wav").write_bytes((raw / "low0.wav").read_bytes())
    corpus = write_recordings(
        tmp_path / "tones", INFO, [*whole, Item(raw / "copy.wav", "copy.wav", "low", "test", None)]
    )
    told = "In two splits or with two labels, under two names: 1, copy.wav (test, low) is low0.wav (train, low)"
    assert told in capfd.readouterr().err
    assert corpus.info.counts["test"] == 3  # nothing is left out


def test_what_has_two_labels_is_told(tmp_path, items, raw, capfd):
    (raw / "copy.wav").write_bytes((raw / "low0.wav").read_bytes())
    whole = [item for item in items if item.source not in FAULTY]
    write_recordings(tmp_path / "tones", INFO, [*whole, Item(raw / "copy.wav", "copy.wav", "high", "train", None)])
    assert "copy.wav (train, high) is low0.wav (train, low)" in capfd.readouterr().err


def test_wrong_words(tmp_path, items):
    with pytest.raises(UsageError, match=r"no value of faulty 'drop'\. There are leave_out, keep, refuse"):
        write_recordings(tmp_path / "corpus", INFO, items, faulty="drop")
    strange = [Item(items[0].path, "a", "middle", "train", None)]
    with pytest.raises(UsageError, match="tones has no label middle, but low, high"):
        write_recordings(tmp_path / "corpus", INFO, strange)


def test_load_prepared(tmp_path, items):
    folder = tmp_path / "corpus"
    assert load_prepared(folder, INFO) is None
    write_recordings(folder, INFO, items)
    assert isinstance(load_prepared(folder, INFO), Corpus)
    other = CorpusInfo("tones", "audio", "int16", ("low", "high"), RATE, "", "", "python make_tones.py --faulty keep")
    with pytest.raises(UsageError, match=r"made by 'python make_tones.py', and not by '.*keep': delete it, or choose"):
        load_prepared(folder, other)
    with open(folder / "train.arrow", "r+b") as file:
        file.seek(-100, 2)
        file.write(b"damage")
    with pytest.raises(UsageError, match="is damaged"):
        load_prepared(folder, INFO)
