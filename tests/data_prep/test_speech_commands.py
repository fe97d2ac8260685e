"""The preparation on a tiny Speech Commands: a few words by speakers of every split, and 12 s of noise."""

import io
import os
import tarfile
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from data_prep import speech_commands
from data_prep.speech.hash_split import LISTS, RULE, RULE_WITHOUT_TEST, part, speaker
from data_prep.speech_commands import COMMANDS, SILENCE, UNKNOWN, Word, list_items, prepare
from sigconv.corpus import Corpus
from sigconv.errors import UsageError

# From the lists of v0.02.
LISTED = {
    "validation": ("right/a69b9b3e_nohash_0.wav", "right/439c84f4_nohash_1.wav", "eight/86402da1_nohash_1.wav"),
    "test": ("right/bb05582b_nohash_3.wav", "right/97f4c236_nohash_2.wav", "eight/893705bb_nohash_12.wav"),
}
OTHERS = ("bed", "cat", "zero")  # words that are not among the ten


def speakers(split, count, rule=RULE):
    """Made-up names that the rule puts in a split."""
    names = (f"{n:08x}" for n in range(10**6))
    return [name for name, _ in zip((n for n in names if part(n, rule) == split), range(count), strict=False)]


VOICES = {"train": speakers("train", 6), "validation": speakers("validation", 2), "test": speakers("test", 3)}


def write_corpus_of(root, words, voices, noise=True):
    """One recording for each word and speaker, of 100 samples; with the lists of those for validation and test."""
    rng = np.random.default_rng(0)
    for word in words:
        (root / word).mkdir(parents=True)
        for name in [name for names in voices.values() for name in names]:
            sound = rng.uniform(-0.5, 0.5, 100)
            soundfile.write(root / word / f"{name}_nohash_0.wav", sound - sound.mean(), 16000)
        (root / word / f"._{voices['train'][0]}_nohash_0.wav").write_text("of a Mac")
    for split, name in LISTS.items():
        lines = [f"{word}/{voice}_nohash_0.wav\n" for word in words for voice in voices.get(split, [])]
        (root / name).write_text("".join(lines))
    if noise:
        (root / "_background_noise_").mkdir()
        (root / "_background_noise_" / "README.md").write_text("noise")
        (root / "_background_noise_" / "._tap.wav").write_text("of a Mac")
        soundfile.write(root / "_background_noise_" / "tap.wav", rng.uniform(-0.5, 0.5, 12 * 16000), 16000)
    return root


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    return write_corpus_of(tmp_path_factory.mktemp("raw"), (*COMMANDS, *OTHERS), VOICES)


@pytest.fixture(scope="module")
def test_set(tmp_path_factory):
    """As the official one: a folder a class, and names that end with .wav twice."""
    root = tmp_path_factory.mktemp("test_set")
    rng = np.random.default_rng(1)
    for name in (*COMMANDS, "_unknown_", "_silence_"):
        (root / name).mkdir()
        (root / name / "._a_nohash_0.wav.wav").write_text("of a Mac")
        soundfile.write(root / name / f"{VOICES['test'][0]}_nohash_0.wav.wav", rng.uniform(-1, 1, 50), 16000)
    return root


def labels_of(corpus, split):
    names = [corpus.labels[number] for number in corpus.split(split).labels.tolist()]
    return {name: names.count(name) for name in dict.fromkeys(names)}


@pytest.mark.parametrize("split", LISTED)
def test_the_rule_agrees_with_the_lists_of_the_corpus(split):
    assert {part(speaker(source.split("/")[1])) for source in LISTED[split]} == {split}


def test_the_rule_gives_each_split_its_share():
    counts = [part(f"{n:08x}") for n in range(5000)]
    assert {split: round(counts.count(split) / 5000, 1) for split in set(counts)} == {
        "train": 0.8,
        "validation": 0.1,
        "test": 0.1,
    }


def test_a_speaker_is_what_stands_before_nohash():
    assert speaker("0a7c2a8d_nohash_12.wav.wav") == "0a7c2a8d"


def test_words_alone(tmp_path, raw):
    corpus = prepare(tmp_path, raw, ["go", "stop"])
    assert corpus.folder == tmp_path / "go_stop"
    assert corpus.labels == ("go", "stop")
    assert corpus.info.rate == 16000
    assert corpus.info.name == "Speech Commands v0.02, test by the hash rule"
    assert corpus.info.counts == {"train": 12, "validation": 4, "test": 6}
    for split, voices in VOICES.items():
        assert set(corpus.split(split).speakers) == set(voices)
    train = corpus.split("train")
    name = f"go/{VOICES['train'][0]}_nohash_0.wav"
    assert (train.sources[0], train.labels[0]) == (name, 0)
    np.testing.assert_array_equal(train[0][0].numpy(), soundfile.read(raw / name, dtype="int16")[0])


def test_unknown_is_as_many_other_words_as_a_word_has_on_average(tmp_path, raw):
    corpus = prepare(tmp_path, raw, "down,go,unknown")
    assert labels_of(corpus, "train") == {"down": 6, "go": 6, UNKNOWN: 6}
    assert labels_of(corpus, "test") == {"down": 3, "go": 3, UNKNOWN: 3}
    assert not any(source.startswith("_") for source in corpus.split("train").sources)


def test_unknown_is_drawn_from_all_other_words():
    words = [
        Word(Path(f"{word}/{i}.wav"), f"{word}/{i}.wav", word, f"speaker {i}")
        for word in ("bed", "cat", "up", "zero")
        for i in range(200)
    ]
    items = list_items(words, ("up", UNKNOWN), RULE)
    drawn = [item.source for item in items if item.label == UNKNOWN and item.split == "train"]
    assert {source.split("/")[0] for source in drawn} == {"bed", "cat", "zero"}


def test_unknown_is_what_there_is_where_that_is_less(tmp_path):
    raw = write_corpus_of(tmp_path / "raw", ("go", "up", "cat"), VOICES)
    for voice in VOICES["train"][1:]:
        (raw / "cat" / f"{voice}_nohash_0.wav").unlink()
    assert labels_of(prepare(tmp_path, raw, "go,up,unknown"), "train") == {"go": 6, "up": 6, UNKNOWN: 1}


def test_the_twelve_classes(tmp_path, raw):
    corpus = prepare(tmp_path, raw, "twelve")
    assert corpus.folder == tmp_path / "twelve"
    assert corpus.labels == (*COMMANDS, UNKNOWN, SILENCE)
    for split, voices in VOICES.items():  # the official 10 % of what the ten words have
        assert labels_of(corpus, split) == dict.fromkeys(corpus.labels, len(voices))


def test_silence_is_noise_of_the_splits_own_part_turned_down(tmp_path, raw):
    corpus = prepare(tmp_path, raw, ["go", "silence"])
    noise = soundfile.read(raw / "_background_noise_" / "tap.wav", dtype="int16")[0]
    edges = {"train": (0, 9.6), "validation": (9.6, 10.8), "test": (10.8, 12)}
    for split in corpus.splits:
        pieces = [i for i, source in enumerate(corpus.split(split).sources) if source.startswith("_background_noise_")]
        assert len(pieces) == len(VOICES[split])
        for i in pieces:
            words = corpus.split(split).sources[i].replace(",", "").split()
            first, volume = int(words[3]), float(words[5])
            assert edges[split][0] <= first / 16000 <= edges[split][1] - 1
            assert (corpus.split(split).labels[i], corpus.split(split).speakers[i]) == (1, None)
            np.testing.assert_allclose(corpus.split(split)[i][0].numpy(), noise[first : first + 16000] * volume, atol=2)


def test_the_same_corpus_each_time(tmp_path, raw):
    hashes = [prepare(tmp_path / name, raw, "twelve").info.checksums for name in ("a", "b")]
    assert hashes[0] == hashes[1]


def test_the_official_test_set(tmp_path, raw, test_set):
    corpus = prepare(tmp_path, raw, "twelve", test="official", test_source=test_set)
    assert corpus.folder == tmp_path / "twelve_official_test"
    assert corpus.info.name == "Speech Commands v0.02, official test set"
    assert labels_of(corpus, "test") == dict.fromkeys(corpus.labels, 1)
    assert labels_of(corpus, "train") == dict.fromkeys(corpus.labels, 6)
    assert set(corpus.split("test").speakers) == {VOICES["test"][0], None}
    assert set(corpus.split("train").speakers).isdisjoint(VOICES["test"])
    assert corpus.split("test").sources[0].startswith("speech_commands_test_set_v0.02/yes/")


def test_without_test_speakers_the_validation_speakers_are_the_test(tmp_path, capsys):
    train = speakers("train", 4, RULE_WITHOUT_TEST)
    extra = [name for name in speakers("train", 40) if part(name, RULE_WITHOUT_TEST) == "validation"][:2]
    raw = write_corpus_of(
        tmp_path / "raw", ("go", "up"), {"train": train + extra, "validation": VOICES["validation"]}, noise=False
    )
    corpus = prepare(tmp_path, raw, "go,up")
    found = {split: sorted(set(corpus.split(split).speakers)) for split in corpus.splits}
    assert found == {"train": sorted(train), "validation": sorted(extra), "test": sorted(VOICES["validation"])}
    assert corpus.info.name == "Speech Commands v0.02, tested on its validation speakers"
    assert "has no test speakers: its validation speakers become the test split" in capsys.readouterr().err


@pytest.mark.parametrize(("split", "name"), LISTS.items())
def test_a_list_that_contradicts_the_rule(tmp_path, split, name):
    raw = write_corpus_of(tmp_path / "raw", ("go", "up"), VOICES, noise=False)
    lines = (raw / name).read_text().splitlines()
    (raw / name).write_text("\n".join([*lines[1:], f"up/{VOICES['train'][0]}_nohash_0.wav", "gone/file.wav"]))
    with pytest.raises(UsageError, match=f"{name} and the names of 2 recordings disagree .* for {split}: go/"):
        prepare(tmp_path, raw, "go")
    (raw / name).unlink()
    assert prepare(tmp_path, raw, "go").info.counts["train"] == 6


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("go,twenty,stopp", r"has no recordings of stopp, twenty; .*There are: bed, cat, down, go, .*, zero\."),
        ("all", "has no recordings of backward, bird"),
        ("unknown,silence", "name a word, beside unknown and silence; or all or twelve"),
        ([], "name a word"),
        ("go,go", "a class name comes twice"),
        ((*COMMANDS, *OTHERS, UNKNOWN), "has no other words to stand for 'unknown'"),
    ],
)
def test_words_that_cannot_be_had(tmp_path, raw, words, message):
    with pytest.raises(UsageError, match=message):
        prepare(tmp_path, raw, words)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_the_corpus(tmp_path):
    with pytest.raises(UsageError, match="There are: none"):
        prepare(tmp_path / "out", tmp_path, "go")


def test_silence_without_noise_is_refused_with_the_cure(tmp_path):
    raw = write_corpus_of(tmp_path / "raw", ("go",), VOICES, noise=False)
    with pytest.raises(UsageError, match=r"_background_noise_ has no recordings .* leave silence out of the words"):
        prepare(tmp_path, raw, "go,silence")


def test_noise_that_is_too_short_is_named(tmp_path):
    raw = write_corpus_of(tmp_path / "raw", ("go",), VOICES)
    soundfile.write(raw / "_background_noise_" / "tap.wav", np.full(5 * 16000, 0.1), 16000)
    with pytest.raises(UsageError, match=r"tap.wav is "):
        prepare(tmp_path, raw, "go,silence")


def test_a_split_without_speakers_is_named(tmp_path):
    raw = write_corpus_of(tmp_path / "raw", ("go",), {"train": VOICES["train"][:1], "test": VOICES["test"]})
    with pytest.raises(UsageError, match="belongs to validation by the hash rule"):
        prepare(tmp_path, raw, "go")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"test": "official"}, "The official test set is for words=twelve, not for go, up"),
        ({"test": "offical"}, "test is 'offical', but it must be hash or official"),
        ({"test_source": "somewhere"}, "somewhere is for test=official, but test is hash"),
    ],
)
def test_a_test_that_does_not_fit(tmp_path, raw, options, message):
    with pytest.raises(UsageError, match=message):
        prepare(tmp_path, raw, "go,up", **options)


def test_a_test_set_that_lacks_a_class(tmp_path, raw, test_set):
    with pytest.raises(UsageError, match="has no recordings in _unknown_: it should be the unpacked speech_"):
        prepare(tmp_path, raw, "twelve", test="official", test_source=raw)


def test_clipped_recordings_are_kept_and_listed(tmp_path):
    raw = write_corpus_of(tmp_path / "raw", ("go",), VOICES, noise=False)
    source = f"go/{VOICES['test'][0]}_nohash_0.wav"
    soundfile.write(raw / source, np.repeat([1.0, -1.0], 50), 16000)
    corpus = prepare(tmp_path, raw, "go")
    assert source in corpus.split("test").sources
    assert f"{source}," in (corpus.folder / "left_out.csv").read_text()


def test_another_command_for_the_same_folder_is_refused(tmp_path, raw):
    prepare(tmp_path, raw, "go")
    assert prepare(tmp_path, words="go").info.counts["train"] == 6
    with pytest.raises(UsageError, match="--faulty keep"):
        prepare(tmp_path, raw, "go", faulty="refuse")


def test_another_source_than_that_of_the_corpus_is_refused(tmp_path, raw, test_set):
    options = {"words": "twelve", "test": "official"}
    prepare(tmp_path, raw, test_source=test_set, **options)
    with pytest.raises(UsageError, match=f"made with source {raw}, and not with source /nowhere: leave source out"):
        prepare(tmp_path, "/nowhere", **options)
    with pytest.raises(UsageError, match=f"made with test_source {test_set}, and not with test_source /nowhere: leave"):
        prepare(tmp_path, raw, test_source="/nowhere", **options)
    for name, place in (("test_source", test_set), ("source", raw)):
        os.utime(next(place.glob("go/[!.]*.wav")), (1, 1))
        with pytest.raises(UsageError, match=f"The files of {name} .* have changed since"):
            prepare(tmp_path, raw, test_source=test_set, **options)


def pack(folder):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        archive.add(folder, ".")  # as in the official ones
    return buffer.getvalue()


def test_the_download_serves_every_task(tmp_path, raw, test_set, server, monkeypatch):
    packed = {speech_commands.CORPUS: pack(raw), speech_commands.TEST_SET: pack(test_set)}
    server.files = {f"/{name}.tar.gz": data for name, data in packed.items()}
    monkeypatch.setattr(speech_commands, "PLACE", f"{server.url}/")
    monkeypatch.setattr(speech_commands, "ARCHIVES", {name: sha256(data).hexdigest() for name, data in packed.items()})
    assert prepare(tmp_path, words="go,unknown").info.counts == {"train": 12, "validation": 4, "test": 6}
    assert prepare(tmp_path, words="twelve", test="official").info.counts["test"] == 12
    assert [path for path, _ in server.requests] == [f"/{name}.tar.gz" for name in packed]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["go_unknown", "raw", "twelve_official_test"]


def test_the_real_recordings(tmp_path, shared_data, capsys):
    corpus = prepare(tmp_path, shared_data / "speech_commands", "one,zero,unknown")
    assert "has no test speakers" in capsys.readouterr().err
    found = [set(corpus.split(split).speakers) for split in corpus.splits]
    assert len(set.union(*found)) == sum(map(len, found))
    assert {part(name) for name in corpus.split("test").speakers} == {"validation"}
    assert {part(name) for name in corpus.split("train").speakers} == {"train"}
    counts = labels_of(corpus, "train")
    assert counts[UNKNOWN] == -(-(counts["one"] + counts["zero"]) // 2)
    assert corpus.split("train").shapes[:, 1].max() == 16000


def test_the_command_line(tmp_path, raw):
    arguments = ["--folder", str(tmp_path), "--source", str(raw), "--words", "go,stop"]
    done = CliRunner().invoke(speech_commands.main, arguments)
    assert done.exit_code == 0, done.output
    assert done.output.splitlines()[-1] == f"{tmp_path / 'go_stop'}: 12 train, 4 validation, 6 test"
    assert Corpus.load(tmp_path / "go_stop").info.command.endswith("--words go,stop --test hash --faulty keep")
    done = CliRunner().invoke(speech_commands.main, [*arguments[:-1], "gone"])
    assert done.exit_code == 1
    assert f"error: {raw} has no recordings of gone" in done.output
