"""Words found in recordings: whistled ones, whose times are known, and real ones."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tones import LENGTH, RATE, utterance, whistle

from sigconv.signals.speech.stretches import cut_pieces, find_stretches

SPEECH = 8000  # samples: the length that a network for real digits hears


def with_noise(sound: np.ndarray, db: float | None, seed: int = 0) -> np.ndarray:
    """(1, T): with white noise so far below the mean power of what is not silent."""
    noise = np.zeros(len(sound))
    if db is not None:
        power = np.mean(sound[sound != 0].astype(float) ** 2)
        noise = np.random.default_rng(seed).normal(0, np.sqrt(power / 10 ** (db / 10)), len(sound))
    return np.clip(sound + noise, -32768, 32767).astype(np.int16)[None]


@pytest.mark.parametrize("db", [None, 40, 20])
@pytest.mark.parametrize("pause", [0.3, 1.0])
def test_each_word_is_a_stretch(db: float | None, pause: float) -> None:
    sound, words = utterance(["low", "high", "middle", "middle", "low"], pause)
    found = find_stretches(with_noise(sound, db), RATE)
    times = [(start, end) for _, start, end in words]
    assert np.array(found) / RATE == pytest.approx(np.array(times), abs=0.021)


@pytest.mark.parametrize("zeros", [1, 4])
def test_digital_silence_at_an_end_is_not_the_noise_of_the_room(zeros: int) -> None:
    """As of a microphone that is muted at first, or an export that pads."""
    sound, words = utterance(["low", "high", "middle", "middle", "low"], 0.5)
    silence = np.zeros((1, zeros * RATE), np.int16)
    found = find_stretches(np.concatenate([silence, with_noise(sound, 20), silence], 1), RATE)
    times = [(zeros + start, zeros + end) for _, start, end in words]
    assert np.array(found) / RATE == pytest.approx(np.array(times), abs=0.021)


def test_words_are_found_one_by_one_though_a_noise_begins_among_them() -> None:
    """As of a fan that is switched on; or of a microphone that was muted."""
    sound, words = utterance(["low", "high", "middle", "middle", "low", "high"], 0.5)
    sound = sound + np.random.default_rng(0).normal(0, 5, len(sound))
    sound[len(sound) // 2 :] += np.random.default_rng(1).normal(0, 600, len(sound) - len(sound) // 2)
    pieces = cut_pieces(sound.astype(np.int16)[None], RATE, LENGTH)
    times = [(start, end) for _, start, end in words]
    assert np.array([(piece.first, piece.end) for piece in pieces]) / RATE == pytest.approx(np.array(times), abs=0.031)


@pytest.mark.parametrize("mains", [50, 60])
def test_the_buzz_of_the_mains_joins_no_words(mains: int) -> None:
    """A sawtooth has loud and quiet halves of its period."""
    sound, words = utterance(["low", "high", "middle", "middle", "low"], 0.5)
    buzz = 600 * (np.arange(len(sound)) * mains / RATE % 1 - 0.5)
    found = find_stretches((sound + buzz).astype(np.int16)[None], RATE)
    times = [(start, end) for _, start, end in words]
    assert np.array(found) / RATE == pytest.approx(np.array(times), abs=0.031)


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
@pytest.mark.parametrize("pause", [0.24, 1.0])
def test_a_word_is_heard_with_what_is_around_it_up_to_the_middle_of_a_pause(rate: int, pause: float) -> None:
    sound, words = utterance(["low", "high"], pause, rate)
    pieces = cut_pieces(sound[None], rate, rate)
    times = [(start, end) for _, start, end in words]
    assert np.array([(piece.first, piece.end) for piece in pieces]) / rate == pytest.approx(np.array(times), abs=0.03)
    room = (1 - (times[0][1] - times[0][0])) / 2
    outer, inner = min(room, pause), min(room, pause / 2)
    windows = [(times[0][0] - outer, times[0][1] + inner), (times[1][0] - inner, times[1][1] + outer)]
    assert np.array([piece.window for piece in pieces]) / rate == pytest.approx(np.array(windows), abs=0.03)


def test_a_short_pause_belongs_to_the_word() -> None:
    sound, words = utterance(["low", "high"], pause=0.15)
    ((first, end),) = find_stretches(sound[None], RATE)
    assert (first / RATE, end / RATE) == pytest.approx((words[0][1], words[1][2]), abs=0.021)


def test_margins_never_make_a_word_too_long_for_the_network() -> None:
    """It would be heard twice, by two windows that slide over it."""
    quiet = np.zeros(RATE, np.int16)
    sound = np.concatenate([quiet, whistle(500, 0.45), quiet])[None]
    (piece,) = cut_pieces(sound, RATE, LENGTH)
    first, end = piece.window
    assert end - first <= LENGTH
    assert first <= RATE
    assert end >= 1.45 * RATE


def test_where_there_is_no_pause_a_window_slides_over_all() -> None:
    generator = np.random.default_rng(0)
    syllables = [whistle(generator.uniform(200, 2000), 0.1, level=0.5 if i % 2 else 0.02) for i in range(61)]
    sound = np.concatenate(syllables)[None]
    windows = [piece.window for piece in cut_pieces(sound, RATE, LENGTH)]
    assert all(end - first == LENGTH for first, end in windows)
    assert windows[0][0] <= 0.12 * RATE
    assert windows[-1][1] >= sound.shape[1] - 0.12 * RATE
    assert all(0 < b[0] - a[0] <= LENGTH // 2 for a, b in pairwise(windows))


@pytest.mark.parametrize("level", [0, 1, 10, 1000])
def test_nothing_stands_out_of_noise_or_silence(level: float) -> None:
    sound = np.random.default_rng(0).normal(0, level, (1, 20 * RATE)).astype(np.int16)
    assert cut_pieces(sound, RATE, LENGTH) == []


@pytest.mark.parametrize("level", [10, 1000])
def test_nothing_stands_out_of_noise_behind_digital_silence(level: float) -> None:
    noise = np.random.default_rng(0).normal(0, level, 2 * RATE).astype(np.int16)
    assert cut_pieces(np.concatenate([np.zeros(RATE // 2, np.int16), noise])[None], RATE, LENGTH) == []


def test_clicks_are_no_words() -> None:
    sound, words = utterance(["low", "high"], 1.0)
    for at in (0.2, 1.6, 2.5):
        sound[round(at * RATE) : round(at * RATE) + 40] = 20000
    assert len(find_stretches(sound[None], RATE)) == len(words)


def test_a_bump_hides_only_what_is_near_it() -> None:
    sound, words = utterance(["low", "high", "middle"] * 20, 0.5)
    quiet = (sound * 0.01).astype(np.int16)
    quiet[2000:2800] = np.random.default_rng(0).normal(0, 9000, 800)
    assert len(find_stretches(quiet[None], RATE)) >= len(words) - 6


def test_a_hum_or_offset_under_all_of_it_changes_nothing() -> None:
    sound, _ = utterance(["low", "high", "middle"], 0.6)
    assert find_stretches(sound[None] + np.int16(8000), RATE) == find_stretches(sound[None], RATE)


def digits_of(speaker: str, folder: Path, seconds: float, seed: int) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """A minute of digits with pauses of 0.3 to 1 s, and where each is."""
    generator = np.random.default_rng(seed)
    files = sorted((folder / "fsdd" / "recordings").glob(f"*_{speaker}_*.wav"))
    parts, words, at = [], [], 0
    while at < seconds * RATE:
        pause = np.zeros(int(generator.uniform(0.3, 1.0) * RATE), np.int16)
        word = soundfile.read(generator.choice(files), dtype="int16")[0][:SPEECH]
        parts += [pause, word]
        words.append((at + len(pause), at + len(pause) + len(word)))
        at = words[-1][1]
    return np.concatenate([*parts, np.zeros(RATE, np.int16)]), words


@pytest.mark.parametrize("db", [None, 30, 20])
@pytest.mark.parametrize("speaker", ["george", "jackson", "theo"])
def test_real_digits_are_found_one_by_one(shared_data: Path, speaker: str, db: float | None) -> None:
    sound, words = digits_of(speaker, shared_data, 60, seed=1)
    pieces = cut_pieces(with_noise(sound, db), RATE, SPEECH)
    overlaps = [[min(end, b) - max(first, a) > 0.02 * RATE for a, b, _ in pieces] for first, end in words]
    alone = [sum(row) == 1 for row in overlaps]
    assert sum(alone) >= 0.97 * len(words), f"{len(words) - sum(alone)} of {len(words)} are missed or cut up"
    assert len(pieces) <= 1.03 * len(words)
