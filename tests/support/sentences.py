"""Little films in which words are said: a corpus with texts, a network that can read them, and a config for it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig, OmegaConf
from torch import Tensor, nn

from sigconv.corpus import Corpus, CorpusInfo, Example, write_corpus

GRAMMAR = {"command": ("bin", "set"), "adverb": ("now", "soon")}
WORDS = [word for words in GRAMMAR.values() for word in words]
RATE = 10  # frames a second
COUNTS = {"train": 32, "validation": 6, "test": 10}


def say(text: str, pause: int = 1, length: int = 5) -> np.ndarray:
    """uint8 (1, T, 8, 8): each word is a bright bar of its own height for some frames, dark before and after."""
    frames = []
    for word in text.split():
        bar = np.zeros((8, 8), np.uint8)
        bar[2 * WORDS.index(word) : 2 * WORDS.index(word) + 2] = 255
        frames += [np.zeros_like(bar)] * pause + [bar] * length
    return np.stack([*frames, 0 * frames[0]])[None]


def write_sentences(
    folder: Path, texts: Sequence[str] = (), grammar: Any = GRAMMAR, unheard: str | None = None, **options: Any
) -> Corpus:
    """All sentences of the grammar, or these, in turn; of several lengths, by two speakers.

    `unheard` is said at the very end, in the test.
    """
    sentences = texts or [f"{one} {other}" for one in GRAMMAR["command"] for other in GRAMMAR["adverb"]]

    def example(split: str, i: int) -> Example:
        last = split == "test" and i == COUNTS["test"] - 1
        text = unheard if unheard and last else sentences[i % len(sentences)]
        return Example(say(text, pause=1 + i % 3), split, f"{split}/{i}", text=text, speaker=("ann", "bob")[i % 2])

    examples = [example(split, i) for split, count in COUNTS.items() for i in range(count)]
    info = CorpusInfo("bars", "video", "uint8", (), RATE, "none", "nobody", "python bars.py", grammar, **options)
    return write_corpus(folder, info, examples)


def write_words(folder: Path, **options: Any) -> Corpus:
    """Films of one word each, 0.7 s long."""

    def example(split: str, i: int) -> Example:
        label = i % len(WORDS)
        return Example(say(WORDS[label]), split, f"{split}/{i}", label, speaker=("ann", "bob")[i % 2])

    examples = [example(split, i) for split, count in COUNTS.items() for i in range(count)]
    info = CorpusInfo("bars", "video", "uint8", tuple(WORDS), RATE, "none", "nobody", "python bars.py", **options)
    return write_corpus(folder, info, examples)


class Pixels(nn.Module):
    def forward(self, signal: Tensor) -> Tensor:
        return signal.float() / 255


class Frames(nn.Module):
    """(B, C, T, H, W) to (B, C * H * W, T)."""

    def forward(self, signal: Tensor) -> Tensor:
        return signal.transpose(1, 2).flatten(2).transpose(1, 2)


def reader(input: Sequence[int], classes: int, stride: int = 1, sequence: bool = True) -> nn.Module:
    """A network that sees three frames at a time."""
    channels, _, height, width = input
    first = nn.Conv1d(channels * height * width, 16, 3, stride, padding=1)
    whole = nn.Sequential(nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.Linear(16, classes))
    end = nn.Conv1d(16, classes, 1) if sequence else whole
    return nn.Sequential(Frames(), first, nn.BatchNorm1d(16), nn.ReLU(), end)


def config(*changes: str) -> DictConfig:
    """What a recipe would have composed; `changes` as on a command line."""
    partly = {"_partial_": True}
    base = {
        "recipe": "bars", "seed": 0, "precision": "32-true", "label_smoothing": 0.0, "mixup": 0.0,
        "checkpoint": "last", "average": None, "watch": 10, "init": None,
        "tokens": "words", "decoder": "grammar",
        "loader": {"batch_size": 8, "in_memory": "auto", "workers": 0},
        "data": {"seconds": 2.0},
        "features": {"_target_": "sentences.Pixels"},
        "augment": {},
        "model": {"_target_": "sentences.reader"},
        "optim": {
            "optimizer": {"_target_": "torch.optim.AdamW", "lr": 0.05, **partly},
            "schedule": {"_target_": "torch.optim.lr_scheduler.OneCycleLR", "max_lr": 0.05, **partly},
        },
        "trainer": {"accelerator": "cpu", "devices": 1, "max_epochs": 30},
    }  # fmt: skip
    merged = OmegaConf.merge(base, OmegaConf.from_dotlist(list(changes)))
    assert isinstance(merged, DictConfig)
    return merged
