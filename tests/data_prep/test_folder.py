import os
import shutil
import unicodedata

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from data_prep import folder
from data_prep.splits import SPLITS, draw_splits
from sigconv.errors import UsageError


def record(path, rate=16_000, seconds=0.05, channels=1):
    path.parent.mkdir(parents=True, exist_ok=True)
    tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(round(seconds * rate)) / rate)
    soundfile.write(path, np.stack([tone] * channels, 1), rate)
    return path


@pytest.fixture
def root(tmp_path):
    """Two classes with 20 recordings each, by four speakers, and files that are none."""
    root = tmp_path / "words"
    for take in range(20):
        record(root / "yes" / f"{'abcd'[take % 4]}_{take}.wav")
        record(root / "no" / "deep" / f"{'abcd'[take % 4]}_{take}.wav")
    (root / "notes.txt").write_text("recorded on Monday")
    (root / "yes" / ".DS_Store").touch()
    (root / "yes" / "._a_1.wav").touch()
    return root


@pytest.fixture
def prepare(tmp_path, root):
    def prepare(**options):
        return folder.prepare(root, **({"folder": tmp_path / "corpus"} | options))

    return prepare


def splits(corpus):
    """Source -> split."""
    return {source: split for split in corpus.splits for source in corpus.split(split).sources}


def test_a_subfolder_is_a_class(prepare, capfd):
    corpus = prepare()
    assert corpus.labels == ("no", "yes")
    assert sum(corpus.info.counts.values()) == 40
    assert set(corpus.splits) == {"train", "validation", "test"}
    for split in corpus.splits:
        part = corpus.split(split)
        assert [source.split("/")[0] for source in part.sources] == [corpus.labels[i] for i in part.labels]
        assert set(part.labels.tolist()) == {0, 1}
        assert set(part.speakers) == {None}
    skipped = "skipped 3 files whose names are not those of recordings: "
    told = capfd.readouterr().err
    assert f"{skipped}2 hidden, 1 .txt" in told


def test_any_format_rate_channels_and_length(root, prepare):
    record(root / "yes" / "a.mp3", 44_100, 0.5, channels=2)
    record(root / "yes" / "b.flac", 96_000, 0.2, channels=5)
    record(root / "yes" / "c.OGG", 22_050, 0.3)
    corpus = prepare(rate=8000)
    shapes = {
        source: shape
        for split in corpus.splits
        for source, shape in zip(corpus.split(split).sources, corpus.split(split).shapes.tolist(), strict=True)
    }
    assert shapes["yes/a.mp3"] == [1, 4000]
    assert shapes["yes/b.flac"] == [1, 1600]
    assert shapes["yes/c.OGG"] == [1, 2400]
    assert shapes["no/deep/a_0.wav"] == [1, 400]
    assert corpus.info.rate == 8000


def test_a_recording_in_two_formats_is_refused(root, prepare):
    (root / "yes" / "a_0.m4a").write_bytes(b"\0\0\0\x20ftypM4A " + bytes(50))  # from which a_0.wav was converted
    prepare()
    record(root / "yes" / "a_0.mp3")
    with pytest.raises(UsageError, match=r"yes/a_0\.mp3 and yes/a_0\.wav are the same recording in two formats: take"):
        prepare()


def test_the_splits_stay_when_files_are_added(tmp_path):
    names = [f"yes/{i}.wav" for i in range(400)]
    before = draw_splits(names[:200], 0.2, 0.1)
    after = draw_splits(names, 0.2, 0.1)
    assert before == {name: after[name] for name in names[:200]}
    counts = {split: list(after.values()).count(split) for split in SPLITS}
    assert counts["train"] == pytest.approx(280, abs=30)
    assert counts["validation"] == pytest.approx(80, abs=25)
    assert counts["test"] == pytest.approx(40, abs=20)


@pytest.mark.parametrize("count", [3, 4, 5, 10, 20])
def test_few_recordings_are_in_each_split_all_the_same(count):
    for letter in "abcdefgh":
        drawn = draw_splits([f"{letter}{i}" for i in range(count)], 0.1, 0.1)
        assert set(drawn.values()) == set(SPLITS)
        assert list(drawn.values()).count("train") >= count / 3


def test_however_large_the_shares_something_is_left_to_learn_from():
    for letter in "abcdefgh":
        assert set(draw_splits([f"{letter}{i}" for i in range(3)], 0.5, 0.4).values()) == set(SPLITS)


def test_no_speaker_is_in_two_splits(prepare):
    corpus = prepare(speaker="^([a-z])_")
    speakers = {split: set(corpus.split(split).speakers) for split in corpus.splits}
    assert set.union(*speakers.values()) == set("abcd")
    assert sum(map(len, speakers.values())) == 4


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_names_with_accents_have_one_spelling(tmp_path, form):
    for take in range(6):
        name = f"fünf/{('jürgen', 'zoë', 'ann')[take % 3]}_{take}.wav"
        record(tmp_path / "words" / unicodedata.normalize(("NFC", "NFD")[take // 3], name))
    corpus = folder.prepare(
        tmp_path / "words", tmp_path / "corpus", speaker=unicodedata.normalize(form, "^([a-zëü]+)_")
    )
    assert corpus.labels == (unicodedata.normalize("NFC", "fünf"),)
    assert sorted(len(corpus.split(split)) for split in corpus.splits) == [2, 2, 2]
    assert {who for split in SPLITS for who in corpus.split(split).speakers} == {"jürgen", "zoë", "ann"}


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("([a-z", "not a regular expression"),
        ("[a-z]_", "has 0 groups"),
        ("([a-c])_", "finds no speaker in 10 of 40 names: no/deep/d_11.wav"),
    ],
)
def test_patterns_that_find_no_speaker(prepare, pattern, message):
    with pytest.raises(UsageError, match=message):
        prepare(speaker=pattern)


def test_two_speakers_are_too_few_whatever_the_shares(prepare, root):
    for path in [*root.rglob("[cd]_*.wav")]:
        path.unlink()
    with pytest.raises(UsageError, match="finds a, b: train, validation and test need a speaker each"):
        prepare(speaker="^([a-z])_")


def test_that_nobody_knows_who_speaks_is_said(root, tmp_path, capsys):
    folder.prepare(root, tmp_path / "unknown")
    said = "voices of the training are in the test, too. Tell by data.speaker (--speaker)."
    assert said in capsys.readouterr().err
    folder.prepare(root, tmp_path / "known", speaker="^([a-z])_")
    assert said not in capsys.readouterr().err


def test_too_few_speakers_of_a_class_for_three_splits(prepare, root):
    for path in [path for name in "bcd" for path in (root / "no").rglob(f"{name}_*")]:
        path.unlink()
    with pytest.raises(UsageError, match=r"no 'no' in .*Record more speakers"):
        prepare(speaker="^([a-z])_")


@pytest.mark.parametrize("name", ["validation", "valid", "dev"])
def test_folders_named_after_the_splits(tmp_path, name):
    root = tmp_path / "words"
    for split in ("train", name, "test"):
        for label in ("yes", "no"):
            for take in range(2):
                record(root / split / label / "any" / f"{take}.wav")
    corpus = folder.prepare(root, tmp_path / "corpus")
    assert corpus.labels == ("no", "yes")
    assert corpus.info.counts == {"train": 4, "validation": 4, "test": 4}
    assert splits(corpus)[f"{name}/no/any/1.wav"] == "validation"
    for path in (root / "test" / "no").rglob("*.wav"):
        path.unlink()
    with pytest.raises(UsageError, match="there is no 'no' in test"):
        folder.prepare(root, tmp_path / "other")


def test_who_is_in_several_of_the_folders_for_splits_is_told(tmp_path, capsys):
    for split, speakers in (("train", "abc"), ("validation", "bd"), ("test", "ce")):
        for name in speakers:
            record(tmp_path / "words" / split / "yes" / f"{name}_{split}.wav")
    folder.prepare(tmp_path / "words", tmp_path / "corpus", speaker="^([a-z])_")
    told = "In more than one of the folders train, validation and test are 2 of 5 speakers: b, c."
    assert told in capsys.readouterr().err
    folder.prepare(tmp_path / "words", tmp_path / "other", speaker="^([a-z]_[a-z]+)")
    assert "In more than one" not in capsys.readouterr().err


def test_some_folders_named_after_splits(tmp_path, root, prepare):
    (root / "test").mkdir()
    with pytest.raises(UsageError, match=r"The folders in .* are no, test, yes: some are splits, but"):
        prepare()


def test_recordings_in_no_class(root, prepare):
    record(root / "loose.wav")
    with pytest.raises(UsageError, match=r"1 recordings in .*words are in no class' folder: loose\.wav"):
        prepare()


def test_recordings_in_no_class_of_a_split(tmp_path):
    for split in SPLITS:
        record(tmp_path / "words" / split / "1.wav")
    with pytest.raises(UsageError, match=r"3 recordings .* in no class' folder: test/1\.wav, train/1\.wav"):
        folder.prepare(tmp_path / "words", tmp_path / "corpus")


def test_classes_with_too_few_recordings(root, prepare):
    record(root / "maybe" / "1.wav")
    record(root / "maybe" / "2.wav")
    (root / "empty").mkdir()
    with pytest.raises(UsageError, match=r"fewer: empty \(0\), maybe \(2\)\. Record more"):
        prepare()


def test_no_root_or_nothing_in_it(tmp_path):
    with pytest.raises(UsageError, match="There is no folder"):
        folder.prepare(tmp_path / "none")
    with pytest.raises(UsageError, match="There are no recordings in"):
        folder.prepare(tmp_path)


@pytest.mark.parametrize(("validation", "test"), [(0, 0.1), (0.1, 0), (0.5, 0.5), (-1, 0.1)])
def test_shares_out_of_range(prepare, validation, test):
    with pytest.raises(UsageError, match=r"both must be above 0, and together below 1"):
        prepare(validation=validation, test=test)


def test_faulty_recordings_are_listed(root, prepare, capfd):
    (root / "yes" / "broken.wav").write_text("no sound")
    (root / "yes" / "phone.m4a").write_bytes(b"\0\0\0\x20ftypM4A " + bytes(50))
    corpus = prepare()
    assert "yes/broken.wav" not in splits(corpus)
    assert "1 m4a, not readable: yes/phone.m4a" in capfd.readouterr().err
    assert 'yes/phone.m4a,"m4a, not readable"' in (corpus.folder / "left_out.csv").read_text()


def test_the_folder_is_named_by_what_is_in_it(tmp_path, root, monkeypatch):
    monkeypatch.chdir(tmp_path)
    one = folder.prepare(root)
    assert one.folder.parent.name == "data"
    assert one.folder.name.startswith("folder_words_")
    assert folder.prepare("words").folder == one.folder
    assert folder.prepare(root, rate=8000).folder != one.folder
    os.utime(root / "yes" / "a_0.wav", (1, 1))
    assert folder.prepare(root).folder != one.folder


def test_a_corpus_among_the_recordings_is_refused(root, monkeypatch):
    with pytest.raises(
        UsageError, match=f"would be made in {root}/prepared, among the recordings: work outside of {root}"
    ):
        folder.prepare(root, root / "prepared")
    (root / "runs").mkdir()  # by a recipe that was started here
    monkeypatch.chdir(root)
    with pytest.raises(UsageError, match=f"would be made in {root}/data, among the recordings: work outside of {root}"):
        folder.prepare(".")


def test_files_that_changed_under_a_corpus_with_a_name_of_its_own(root, prepare):
    prepare()
    prepare()
    record(root / "yes" / "new.wav")
    with pytest.raises(
        UsageError, match=r"files of root .* have changed since .* was made: delete it, or choose another folder"
    ):
        prepare()


def test_the_command(tmp_path, root):
    done = CliRunner().invoke(folder.main, [str(root), "--folder", str(tmp_path / "corpus"), "--speaker", "^([a-z])_"])
    assert done.exit_code == 0
    assert f"{tmp_path}/corpus: " in done.output
    failed = CliRunner().invoke(folder.main, [str(tmp_path / "none")])
    assert failed.exit_code == 1
    assert failed.stderr.startswith("error: There is no folder")


def test_a_link_to_a_folder_is_told(prepare, root, tmp_path):
    record(tmp_path / "elsewhere" / "a_0.wav")
    (root / "maybe").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="maybe is a link to a folder, and links are not followed"):
        prepare()


def test_what_is_no_file_is_told(prepare, root):
    (root / "no" / "a_9.wav").symlink_to("/nowhere")
    with pytest.raises(UsageError, match=r"links to what is not there: .*a_9\.wav\. Mend or remove"):
        prepare()


def test_a_name_that_is_not_utf8_is_told(prepare, root):
    try:
        shutil.copy(root / "yes" / "a_0.wav", os.fsencode(root / "no") + b"/gr\xfc\xdfe.wav")
    except OSError:
        pytest.skip("this file system has no such names")
    with pytest.raises(UsageError, match=r"not UTF-8, .*/gr\\xfc\\xdfe\.wav\. Rename"):
        prepare()
