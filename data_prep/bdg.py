"""Synthesises a corpus of /b/, /d/ and /g/ before a vowel: `python data_prep/bdg.py`. It needs no download.

The task, and the rate of 12 kHz, are those of A. Waibel, T. Hanazawa, G. Hinton, K. Shikano, K. J. Lang: Phoneme
recognition using time-delay neural networks. IEEE Transactions on ASSP 37(3):328-339, 1989, whose recordings are not
public. Voices, vowels, tempo, microphones, rooms and noise are drawn at random. Each voice says each of the 15
syllables once, all in one split.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from data_prep.prepared import load_prepared
from data_prep.script import command_line
from data_prep.speech.formants import PLACES, SYLLABLES, VOICES, Draw, speak
from data_prep.splits import SPLITS
from sigconv.corpus import Corpus, CorpusInfo, Example, write_corpus
from sigconv.errors import UsageError

RATE = 12_000
SAMPLES = 3_600  # 0.3 s of synthesis
MIDDLE = slice(960, 2_640)  # what is kept: 15 frames every 10 ms, as in the paper, from the first centre to the last
ONSET = (0.13, 0.17)  # of the vowel, in seconds
EXAMPLES = (3_000, 500, 1_000)
VOICES_AT_ONCE = 20

INFO = CorpusInfo(
    name="BDG, synthesised",
    kind="audio",
    dtype="int16",
    labels=tuple(PLACES),
    rate=RATE,
    terms="synthetic: none",
    citation="The task: A. Waibel, T. Hanazawa, G. Hinton, K. Shikano, K. J. Lang: Phoneme recognition using "
    "time-delay neural networks. IEEE Transactions on ASSP 37(3):328-339, 1989. The synthesis: D. H. Klatt: Software "
    "for a cascade/parallel formant synthesizer. JASA 67(3):971-995, 1980.",
    command="python data_prep/bdg.py",
)


def prepare(folder: str | Path = "data/bdg", examples: tuple[int, int, int] = EXAMPLES, seed: int = 0) -> Corpus:
    """The corpus in `folder`, created if it does not exist: int16 signals (1, 1680), 0.14 s at 12 kHz.

    The vowel begins within 20 ms of the middle. The same seed gives the same examples, and a smaller corpus is
    the beginning of a larger one.

    Args:
        examples: how many in train, validation and test.
        seed: of all random draws.

    Raises:
        UsageError: `folder` holds a damaged corpus, one made with other arguments, or something else; or a split
            has less than one example, or the seed is below 0.
    """
    if min(examples) < 1 or seed < 0:
        raise UsageError(f"Each split needs an example, and the seed is 0 or more; these are {examples} and {seed}.")
    folder = Path(folder)
    info = replace(INFO, command=f"{INFO.command} --examples {' '.join(map(str, examples))} --seed {seed}")
    return load_prepared(folder, info) or write_corpus(folder, info, _examples(examples, seed), total=sum(examples))


def _examples(counts: tuple[int, int, int], seed: int) -> Iterator[Example]:
    for number, (split, count) in enumerate(zip(SPLITS, counts, strict=True)):
        for first in range(0, count, VOICES_AT_ONCE * len(SYLLABLES)):
            kinds, signals = synthesise(VOICES_AT_ONCE, np.random.default_rng((seed, number, first)))
            for i, signal in enumerate(signals[: count - first]):
                voice, syllable = divmod(i, len(SYLLABLES))
                vowel, consonant = SYLLABLES[syllable]
                speaker = f"{split}-{first // len(SYLLABLES) + voice:03d}-{kinds[voice]}"
                label = INFO.labels.index(consonant)
                yield Example(signal[None], split, f"{speaker}/{consonant}{vowel}", label, speaker=speaker)


def synthesise(voices: int, rng: np.random.Generator) -> tuple[list[str], np.ndarray]:
    """The kind ("man", "woman" or "child") of each voice, and its recordings: int16 (voices * syllables, samples)."""
    draw = Draw(rng, voices)
    kinds = rng.choice(list(VOICES), voices).tolist()
    return kinds, record(draw, speak(draw, kinds, RATE, SAMPLES, ONSET).T)


def record(draw: Draw, speech: np.ndarray) -> np.ndarray:
    """int16 recordings of the middle of the speech (signals, samples); each voice has a microphone, room and noise."""
    length = 2 * SAMPLES  # room for the echoes, which would otherwise wrap around to the beginning
    octaves = np.log2(np.maximum(np.fft.rfftfreq(length, 1 / RATE), 50) / 1000)  # relative to 1 kHz
    colour = draw.voice(-2, 2)[:, None] * octaves
    for _ in range(3):  # bumps and dips
        place, width = draw.voice(-3, 2.5)[:, None], draw.voice(0.3, 1)[:, None]
        colour += draw.voice(-3, 3)[:, None] * np.exp(-(((octaves - place) / width) ** 2))
    spectrum = np.fft.rfft(speech, length) * np.fft.rfft(_room(draw), length) * 10 ** (colour / 20)
    signal = np.fft.irfft(spectrum, length)[:, :SAMPLES]
    tilt = draw.voice(-6, 0)[:, None] * octaves  # of the noise, in dB: from white to that of a car
    noise = np.fft.rfft(draw.rng.standard_normal((draw.signals, length))) * 10 ** (tilt / 20)
    noise = np.fft.irfft(noise, length)[:, :SAMPLES]
    snr = draw.each(25, 45)[:, None]
    signal += noise * _rms(signal) / _rms(noise) * 10 ** (-snr / 20)
    signal = signal[:, MIDDLE]
    peak = 32767 * 10 ** (draw.each(-30, -1) / 20)[:, None]
    return np.round(signal * peak / np.abs(signal).max(axis=1, keepdims=True)).astype(np.int16)


def _room(draw: Draw) -> np.ndarray:
    """Impulse responses (signals, 0.1 s): direct sound, and decaying echoes, 10 to 25 dB below it in total."""
    time = np.arange(RATE // 10) / RATE
    echoes = np.repeat(draw.rng.standard_normal((draw.voices, len(time))), len(SYLLABLES), axis=0)
    echoes *= np.exp(-6.9 * time / draw.voice(0.1, 0.4)[:, None]) * (time > 0.002)  # -60 dB after 0.1 to 0.4 s
    echoes *= 10 ** (-draw.voice(10, 25)[:, None] / 20) / np.sqrt((echoes**2).sum(axis=1, keepdims=True))
    echoes[:, 0] = 1
    return echoes


def _rms(signal: np.ndarray) -> np.ndarray:
    return np.sqrt((signal**2).mean(axis=1, keepdims=True))


main = command_line(prepare)

if __name__ == "__main__":
    main()
