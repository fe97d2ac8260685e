import numpy as np
import pytest
from scipy.signal import lfilter
from typer.testing import CliRunner

from data_prep import bdg
from data_prep.speech.formants import PLACES, SYLLABLES, VOWELS, Draw, glottal_pulses, resonate, speak
from sigconv.corpus import Corpus
from sigconv.errors import UsageError

RATE = bdg.RATE


@pytest.fixture(autouse=True, scope="module")
def few_voices_at_once():
    """So that small corpora are made quickly."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bdg, "VOICES_AT_ONCE", 3)
        yield


@pytest.fixture(scope="module")
def corpus(tmp_path_factory, few_voices_at_once):
    return bdg.prepare(tmp_path_factory.mktemp("data") / "bdg", (330, 20, 15))


def middle(spectra, syllable, start, end):
    """The mean power spectrum, in dB, of a syllable between two times from the vowel's onset, in seconds."""
    signals, onset = spectra
    piece = signals[round((onset + start) * RATE) : round((onset + end) * RATE), syllable :: len(SYLLABLES)]
    windowed = piece * np.hanning(len(piece))[:, None]
    return 10 * np.log10((np.abs(np.fft.rfft(windowed, 1024, axis=0)) ** 2).mean(axis=1))


@pytest.fixture(scope="module")
def clean():
    """What eight men say before it is recorded, with the vowel's onset at 0.15 s."""
    return speak(Draw(np.random.default_rng(0), 8), ["man"] * 8, RATE, 3600, (0.15, 0.15)), 0.15


def test_what_a_corpus_is(corpus):
    assert corpus.info.counts == {"train": 330, "validation": 20, "test": 15}
    assert corpus.labels == ("b", "d", "g")
    assert (corpus.info.kind, corpus.info.dtype, corpus.info.rate) == ("audio", "int16", 12_000)
    assert corpus.split("train").signals().shape == (330, 1, 1680)
    assert corpus.split("train").labels.bincount().tolist() == [110, 110, 110]


def test_a_voice_says_each_syllable_once_and_in_one_split_only(corpus):
    splits = [corpus.split(name) for name in corpus.splits]
    voices = [set(split.speakers) for split in splits]
    assert [len(names) for names in voices] == [22, 2, 1]
    assert len(set.union(*voices)) == 25
    first = splits[0].sources[:15]
    assert {source.partition("/")[2] for source in first} == {c + v for c in PLACES for v in VOWELS}
    assert {source.partition("/")[0] for source in first} == {splits[0].speakers[0]}
    for split in splits:
        for source, label in zip(split.sources, split.labels.tolist(), strict=True):
            assert source.partition("/")[2][0] == corpus.labels[label]


def test_men_women_and_children_speak(corpus):
    assert {speaker.split("-")[2] for speaker in corpus.split("train").speakers} == {"man", "woman", "child"}


def test_recordings_differ_in_loudness_and_are_never_clipped(corpus):
    peaks = corpus.split("train").signals().int().abs().amax(dim=(1, 2))
    assert peaks.max() < 32767 * 10 ** (-1 / 20) + 1
    assert peaks.min() > 32767 * 10 ** (-30 / 20) - 1
    assert peaks.max() > 10 * peaks.min()


def test_the_same_seed_gives_the_same_and_a_smaller_corpus_is_the_beginning(tmp_path, corpus):
    small = bdg.prepare(tmp_path / "small", (20, 5, 5))
    for name in small.splits:
        signals = small.split(name).signals()
        assert (signals == corpus.split(name).signals()[: len(signals)]).all()
    other = bdg.prepare(tmp_path / "other", (20, 5, 5), seed=1)
    assert (other.split("train").signals() != small.split("train").signals()).any(dim=2).all()


def test_the_splits_are_drawn_apart(corpus):
    train, test = (corpus.split(name).signals()[:15] for name in ("train", "test"))
    assert (train != test).any(dim=2).all()


def test_the_vowel_begins_in_the_middle(corpus):
    """In the last 40 ms, when it is there, the level is higher by 6 dB at least than in the first 20 ms, the closure.

    By no more than that, since the closure hums.
    """
    signals = corpus.split("train").signals()[:, 0].double()
    before, after = (signals[:, a:b].square().mean(dim=1).log10() * 10 for a, b in ((0, 240), (1200, 1680)))
    assert (after - before > 6).double().mean() > 0.98


def test_f2_comes_from_the_locus_of_the_place(clean):
    """The second formant before /a/, at 1090 Hz in the mean man's vowel: rising after b, falling after d and g."""
    frequency = np.fft.rfftfreq(1024, 1 / RATE)

    def f2(consonant, start, end):
        level = middle(clean, SYLLABLES.index(("u", consonant)), start, end)
        band = (frequency > 650) & (frequency < 2200)
        return (frequency[band] * 10 ** (level[band] / 10)).sum() / (10 ** (level[band] / 10)).sum()

    onset = {consonant: f2(consonant, 0, 0.02) for consonant in PLACES}
    vowel = {consonant: f2(consonant, 0.08, 0.1) for consonant in PLACES}
    assert onset["b"] + 150 < min(onset["d"], onset["g"])
    assert onset["d"] > vowel["d"] + 150
    assert onset["g"] > vowel["g"] + 150
    assert abs(onset["b"] - vowel["b"]) < 150


def test_the_burst_is_low_for_b_and_high_for_d_and_between_for_g(clean):
    frequency = np.fft.rfftfreq(1024, 1 / RATE)
    centre = {}
    for consonant in PLACES:
        power = 10 ** (middle(clean, SYLLABLES.index(("o", consonant)), -0.015, 0) / 10) * (frequency > 300)
        centre[consonant] = (frequency * power).sum() / power.sum()
    assert centre["b"] < centre["d"] - 500
    assert centre["g"] < centre["d"] - 500


def test_a_resonator_is_klatts():
    rng = np.random.default_rng(0)
    source = rng.standard_normal((500, 3))
    frequency, bandwidth = np.array([300.0, 1500, 4000]), np.array([50.0, 90, 200])
    out = resonate(source, frequency, bandwidth, RATE)
    for i in range(3):
        c = -np.exp(-2 * np.pi * bandwidth[i] / RATE)
        b = 2 * np.exp(-np.pi * bandwidth[i] / RATE) * np.cos(2 * np.pi * frequency[i] / RATE)
        np.testing.assert_allclose(out[:, i], lfilter([1 - b - c], [1, -b, -c], source[:, i]), rtol=1e-9, atol=1e-12)


def test_a_resonator_follows_its_frequency():
    """It rings at the frequency of the moment."""
    frequency = np.where(np.arange(2400) < 1200, 500.0, 2000.0)[:, None]
    out = resonate(np.random.default_rng(0).standard_normal((2400, 1)), frequency, np.array(40.0), RATE)[:, 0]
    peaks = [np.abs(np.fft.rfft(half)).argmax() * RATE / 1200 for half in (out[:1200], out[1200:])]
    assert peaks == pytest.approx([500, 2000], abs=60)


def test_glottal_pulses_come_at_f0():
    f0 = np.full((RATE, 2), [100.0, 220.0])
    pulses = glottal_pulses(f0, RATE, np.random.default_rng(0), open_quotient=np.array([0.5, 0.7]), jitter=0, shimmer=0)
    spectrum = np.abs(np.fft.rfft(pulses, axis=0))
    for i, pitch in enumerate((100, 220)):
        harmonics = spectrum[pitch : 10 * pitch + 1 : pitch, i]
        assert spectrum[:, i].argmax() % pitch == 0
        assert (np.delete(spectrum[: 10 * pitch, i], np.s_[::pitch]) < 0.05 * harmonics.max()).all()
    assert abs(pulses.mean()) < 0.01 * pulses.std()


def test_a_corpus_that_is_there_is_taken_and_one_of_other_numbers_refused(tmp_path):
    made = bdg.prepare(tmp_path / "bdg", (3, 3, 3))
    assert bdg.prepare(tmp_path / "bdg", (3, 3, 3)).info == made.info
    with pytest.raises(UsageError, match=r"--examples 3 3 3 --seed 0.*--examples 3 3 3 --seed 1"):
        bdg.prepare(tmp_path / "bdg", (3, 3, 3), seed=1)


@pytest.mark.parametrize(("examples", "seed"), [((3, 0, 3), 0), ((3, 3, 3), -1)])
def test_numbers_that_make_no_corpus(tmp_path, examples, seed):
    with pytest.raises(UsageError, match="Each split needs an example, and the seed is 0 or more"):
        bdg.prepare(tmp_path / "bdg", examples, seed)
    assert list(tmp_path.iterdir()) == []


def test_the_command_line_and_the_command_that_the_corpus_names(tmp_path):
    done = CliRunner().invoke(bdg.main, ["--folder", str(tmp_path / "a"), "--examples", "4", "3", "3", "--seed", "7"])
    assert done.exit_code == 0, done.output
    assert done.output.splitlines()[-1] == f"{tmp_path / 'a'}: 4 train, 3 validation, 3 test"
    command = Corpus.load(tmp_path / "a").info.command.removeprefix("python data_prep/bdg.py ").split()
    assert CliRunner().invoke(bdg.main, [*command, "--folder", str(tmp_path / "b")]).exit_code == 0
    assert Corpus.load(tmp_path / "a").info == Corpus.load(tmp_path / "b").info
