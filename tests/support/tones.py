"""Whistled words: corpora, recordings and a network for which every answer is known beforehand."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import soundfile
import torch
from torch import Tensor, nn

from sigconv.corpus import Corpus, CorpusInfo, Example, write_corpus
from sigconv.signals.speech.waveform import as_waveform

RATE = 8000
PITCH = {"low": 300, "middle": 700, "high": 1500}  # Hz
LENGTH = RATE // 2  # samples that the network takes
ABOUT = {
    "name": "other whistles",
    "split_hash": "of other files",
    "kind": "audio",
    "labels": list(PITCH),
    "rate": RATE,
    "dtype": "int16",
    "shape": [1, LENGTH],
}


def whistle(hz: float, seconds: float = 0.3, rate: int = RATE, level: float = 0.3) -> np.ndarray:
    """int16 (T,)."""
    times = np.arange(round(seconds * rate)) / rate
    return (32767 * level * np.sin(2 * np.pi * hz * times)).astype(np.int16)


def utterance(
    words: Iterable[str], pause: float = 0.5, rate: int = RATE
) -> tuple[np.ndarray, list[tuple[str, float, float]]]:
    """int16 (T,), the words with a pause before each and behind the last; and each word's time in seconds."""
    quiet, parts, times, at = np.zeros(round(pause * rate), np.int16), [], [], 0
    for word in words:
        sound = whistle(PITCH[word], rate=rate)
        parts += [quiet, sound]
        times.append((word, (at + len(quiet)) / rate, (at + len(quiet) + len(sound)) / rate))
        at += len(quiet) + len(sound)
    return np.concatenate([*parts, quiet]), times


class Ears(nn.Module):
    """Tells whistles by the loudest frequency: (B, 1, T) -> (B, classes)."""

    def __init__(self, pitches: Sequence[float] = tuple(PITCH.values()), rate: float = RATE) -> None:
        super().__init__()
        self.pitches, self.rate = nn.Parameter(torch.tensor(pitches, dtype=torch.float32)), rate

    def forward(self, signal: Tensor) -> Tensor:
        wave = as_waveform(signal)[:, 0]
        loudest = torch.fft.rfft(wave).abs().argmax(1, keepdim=True) * self.rate / wave.shape[1]
        return -(loudest - self.pitches).abs() / 20


def write_whistles(
    folder: Path, words: Sequence[str], labels: Sequence[str] | None = None, rate: int = RATE, dtype: str = "int16"
) -> Corpus:
    """A corpus of two splits with two examples of each word; "other" is a tone that no word has."""
    labels = labels or list(dict.fromkeys(words))
    examples = []
    for split in ("train", "test"):
        for i, word in enumerate([*words, *words]):
            sound = whistle(PITCH.get(word, 3000), 0.2 + 0.05 * i, rate)
            signal = sound if dtype == "int16" else (sound / 32768).astype(dtype)
            examples.append(Example(signal[None], split, f"{split}/{i}", labels.index(word), speaker="ann"))
    info = CorpusInfo("whistles", "audio", dtype, tuple(labels), rate, "none", "nobody", "python whistles.py")
    return write_corpus(folder, info, examples)


def damage(corpus: Corpus) -> Path:
    """Changes one byte of a signal, as a bad disk may; returns the file."""
    path = corpus.split("test").path
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 1
    path.write_bytes(whole)
    return path


def write_tone_digits(folder: Path) -> None:
    """Files named as in FSDD: each digit has a pitch of its own, by two speakers."""
    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    for speaker in ("ann", "bob"):
        for digit in range(10):
            for take in range(16):
                sound = whistle(250 + 300 * digit * generator.uniform(0.98, 1.02), generator.uniform(0.2, 0.4))
                noise = generator.normal(0, 100, len(sound))
                soundfile.write(folder / f"{digit}_{speaker}_{take}.wav", (sound + noise).astype(np.int16), RATE)
