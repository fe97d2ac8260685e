import numpy as np
import pytest
from typer.testing import CliRunner

from data_prep import drawn
from data_prep.lips.articulation import PARTS, PULLS, speak
from data_prep.lips.mouth_drawing import Camera, Face, shoot
from data_prep.lips.words import cut_word
from sigconv.corpus import Corpus
from sigconv.errors import UsageError
from sigconv.signals.lips.grammar import GRID_GRAMMAR

SMALL = {"height": 24, "width": 40}


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    return drawn.prepare(tmp_path_factory.mktemp("drawn"), clips=8, speakers=4, mouth=SMALL)


@pytest.fixture(scope="module")
def sentences(tmp_path_factory):
    mouth = {**SMALL, "colour": True}
    return drawn.prepare(tmp_path_factory.mktemp("drawn"), "sentences", clips=16, speakers=4, mouth=mouth)


def test_words(words):
    assert words.info.counts == {"train": 24, "validation": 12, "test": 12}
    assert (words.info.kind, words.info.dtype, words.info.rate) == ("video", "uint8", 25)
    assert words.info.grammar == {name: list(members) for name, members in GRID_GRAMMAR.items()}
    assert words.info.reader == {}
    assert len(words.labels) == 51
    train = words.split("train")
    assert train.signals().shape == (24, 1, 20, 24, 40)
    assert [words.labels[label] for label in train.labels] == [source.split("/")[-1] for source in train.sources]


def test_sentences(sentences):
    train = sentences.split("train")
    assert sentences.labels == ()
    assert train[0].shape == (3, 75, 24, 40)
    for text in train.texts:
        assert all(word in members for word, members in zip(text.split(), GRID_GRAMMAR.values(), strict=True))
    assert sorted(text.split()[0] for text in train.texts) == sorted(2 * GRID_GRAMMAR["command"])  # two speakers


def test_words_that_no_clip_of_a_split_says_are_told(tmp_path, capfd):
    drawn.prepare(tmp_path, clips=3, speakers=3, mouth=SMALL)
    told = capfd.readouterr().err
    assert "there is no lay, place, set, blue, green, ... in train (45 of 51 classes)." in told
    assert told.count("there is no") == 3


def test_a_speaker_is_in_one_split_only(sentences):
    speakers = [set(sentences.split(name).speakers) for name in sentences.splits]
    assert [len(names) for names in speakers] == [2, 1, 1]
    assert len(set.union(*speakers)) == 4


def test_clips_have_names_as_in_grid(sentences):
    train = sentences.split("train")
    digits = dict(zip(GRID_GRAMMAR["digit"], "z123456789", strict=True))
    for source, text in zip(train.sources, train.texts, strict=True):
        assert source.endswith("-" + "".join(digits.get(word, word[0]) for word in text.split()))


def test_words_alone_are_as_long_as_they_are_said(tmp_path):
    alone = drawn.prepare(tmp_path, context=False, seconds=None, clips=4, speakers=4, mouth=SMALL).split("train")
    lengths = alone.shapes[:, 1].reshape(-1, 6)
    assert lengths.unique().numel() > 3
    assert lengths.min() >= 5  # 0.2 s
    assert (lengths.sum(dim=1) < 75).all()


@pytest.mark.parametrize(
    ("first", "end", "length", "kept"),
    [
        (4.2, 6.5, None, [4, 5, 6]),
        (5.0, 5.0, None, [5]),
        (8.5, 12.0, None, [8, 9]),
        (4.0, 6.0, 4, [3, 4, 5, 6]),
        (0.0, 2.0, 4, [0, 1, 2, 3]),
        (9.0, 10.0, 4, [6, 7, 8, 9]),
        (4.0, 6.0, 20, list(range(10))),
    ],
)
def test_cutting_a_word(first, end, length, kept):
    frames = np.arange(10, dtype=np.uint8).reshape(1, 10, 1, 1)
    assert cut_word(frames, first, end, length).ravel().tolist() == kept


def say(text, seed=0):
    """The words with their times, and the mouth as a function of the time: a dict of PARTS."""
    speech = speak(text.split(), 3.0, tempo=1, effort=1, rng=np.random.default_rng(seed))
    return speech, lambda time: dict(zip(PARTS, speech.mouth(np.array([time]))[0], strict=True))


@pytest.mark.parametrize("seed", range(3))
def test_sounds_that_need_the_lips_get_them(seed):
    speech, mouth = say("bin blue at f one soon", seed)
    closed, f, w, oo = (speech.edges[sound : sound + 2].mean() for sound in (1, 10, 11, 15))
    assert mouth(closed)["lips"] < 0 < mouth((speech.words[2].first + speech.words[2].end) / 2)["lips"]
    assert mouth(f)["tuck"] > 0.7 > 0.2 > mouth(closed)["tuck"]
    assert mouth(w)["spread"] < -0.4
    assert mouth(oo)["spread"] < -0.4
    assert mouth(oo)["forward"] > 0.4


def test_neighbours_pull_at_a_sound():
    """The lips are round in the t of "two", and not in that of "t"."""
    rounding = []
    for word in ("two", "t"):
        speech, mouth = say(word)
        rounding.append(mouth(speech.edges[1:3].mean())["forward"])
    assert rounding[0] > rounding[1] + 0.2


def test_a_sentence_fits_into_its_clip():
    longest = ["place", "green", "with", "x", "seven", "please"]
    speech = speak(longest, 3.0, tempo=0.5, effort=1, rng=np.random.default_rng(0))
    assert [word.text for word in speech.words] == longest
    assert speech.words[0].first >= 0.2 - 1e-9
    assert speech.words[-1].end <= 2.8 + 1e-9
    assert all(one.end == two.first for one, two in zip(speech.words, speech.words[1:], strict=False))


def still(viseme, face=None):
    """A frame (48, 80) of a viseme, straight on, without noise."""
    rng = np.random.default_rng(0)
    camera = Camera(48, 80, 1.7, np.array([[0.0, 0, 1, 0]]), 1.0, (0.0, 0.0), blur=0.3, noise=0, quality=100)
    parts = np.array([[where for where, _ in PULLS[viseme]]])
    return shoot(face or Face.drawn(rng), camera, parts, False, rng)[0, 0].astype(float)


@pytest.mark.parametrize("seed", range(4))
def test_what_is_seen_of_visemes(seed):
    face = Face.drawn(np.random.default_rng(seed))
    shut, wide, spread, rounded = (still(name, face) for name in ("p b m", "aa aw ay", "iy ih", "uh uw"))
    inside = np.s_[27:31, 36:44]
    assert wide[inside].mean() < 0.6 * shut[inside].mean()
    assert np.abs(shut[20:30, 16:64] - shut[20:30, 16:64][:, ::-1]).mean() < 12  # a face, left and right
    beyond = np.s_[22:27, 20:24]  # between the corners of round lips and those of spread ones
    assert spread[beyond].mean() < rounded[beyond].mean()


def test_a_word_is_seen_in_its_movement_and_not_in_its_middle():
    """By the nearest mean of the mouth in training, over the whole of words and in their middles."""
    rng = np.random.default_rng(0)
    labels, tracks = [], []
    for words in drawn._sentences(250, rng):
        speech = speak(words, 3.0, rng.uniform(0.8, 1.3), rng.uniform(0.75, 1.15), rng)
        for word, first, end in speech.words:
            labels.append(drawn.INFO.labels.index(word))
            tracks.append(speech.mouth(np.linspace(first, end, 9)))
    labels, tracks = np.array(labels), np.array(tracks)
    train, test = np.arange(len(labels)) < 1_000, np.arange(len(labels)) >= 1_000

    def accuracy(seen):
        seen = seen.reshape(len(labels), -1)
        means = np.stack([seen[train & (labels == label)].mean(axis=0) for label in range(51)])
        nearest = ((seen[test, None] - means) ** 2).sum(axis=2).argmin(axis=1)
        return (nearest == labels[test]).mean()

    middle, whole = accuracy(tracks[:, 4]), accuracy(tracks)
    assert whole > 0.7
    assert whole > middle + 0.15


def test_speakers_and_clips_differ(words):
    train, test = words.split("train").signals().float(), words.split("test").signals().float()
    first, second, other = train[0, 0, 0], train[6, 0, 0], test[0, 0, 0]
    assert (first - second).abs().mean() > 3
    assert (first - other).abs().mean() > 3


def test_the_same_seed_gives_the_same(tmp_path, words):
    again = drawn.prepare(tmp_path, clips=8, speakers=4, mouth=SMALL)
    assert again.info == words.info
    assert drawn.prepare(tmp_path, clips=8, speakers=4, mouth=SMALL).folder == again.folder
    other = drawn.prepare(tmp_path, clips=8, speakers=4, seed=1, mouth=SMALL)
    assert other.folder != again.folder
    assert other.info.checksums["train"] != again.info.checksums["train"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"task": "letters"}, "no task 'letters'"),
        ({"speakers": 2}, "3 speakers at least"),
        ({"clips": 10}, "a clip for each"),
        ({"seed": -1}, "seed of 0 or more"),
        ({"seconds": None}, "needs a length above 0"),
        ({"mouth": {"height": 0}}, "height"),
    ],
)
def test_what_makes_no_corpus(tmp_path, wrong, message):
    with pytest.raises(UsageError, match=message):
        drawn.prepare(tmp_path, **wrong)
    assert list(tmp_path.iterdir()) == []


def test_the_command_line_and_the_command_that_the_corpus_names(tmp_path):
    given = "--task sentences --clips 3 --speakers 3 --seed 7 --height 24 --width 40 --rate 12.5 --colour"
    done = CliRunner().invoke(drawn.main, ["--folder", str(tmp_path / "a"), *given.split()])
    assert done.exit_code == 0, done.output
    (place,) = (tmp_path / "a").iterdir()
    assert done.output.splitlines()[-1] == f"{place}: 1 train, 1 validation, 1 test"
    info = Corpus.load(place).info
    command = info.command.removeprefix("python data_prep/drawn.py ").split()
    assert CliRunner().invoke(drawn.main, [*command, "--folder", str(tmp_path / "b")]).exit_code == 0
    assert Corpus.load(tmp_path / "b" / place.name).info == info
    assert Corpus.load(place).split("train").shapes.tolist() == [[3, 38, 24, 40]]
