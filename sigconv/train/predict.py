"""A trained run, used on somebody's own files. Nothing is read but the run's folder."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sigconv.errors import UsageError
from sigconv.signals.length import fit_length
from sigconv.train.instantiate import instantiate_own
from sigconv.train.network import build_network
from sigconv.train.run import Run

TOP = 3  # classes named for each file
BATCH = 64  # pieces of a recording that the network takes at once

About = Mapping[str, Any]  # what a run knows of its corpus: name, kind, labels, rate, dtype, shape


@dataclass(frozen=True)
class Reading:
    """A file as the network takes it.

    Attributes:
        signals: (N, *shape), the raw signal, or the pieces of a long recording.
        times: from when to when each piece is, in seconds; None for what is taken as a whole.
        notes: what was done to the file.
    """

    signals: Tensor
    times: list[tuple[float, float]] | None = None
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Segment:
    """What the network hears in a piece of a long recording; `start` and `end` are seconds."""

    start: float
    end: float
    label: str
    probability: float


@dataclass(frozen=True)
class Prediction:
    """What the network says of one file.

    Attributes:
        label, probability: the likeliest class; None where the file could not be read, or is a long recording.
        top: the likeliest classes and their probabilities, the likeliest first.
        segments: the pieces of a long recording, in their order; None for any other file.
        notes: what was done to the file before, such as that it was inverted or resampled.
        error: why there is no answer.
    """

    file: str
    label: str | None = None
    probability: float | None = None
    top: list[tuple[str, float]] = field(default_factory=list)
    segments: list[Segment] | None = None
    notes: list[str] = field(default_factory=list)
    error: str | None = None


def predict(run: str | Path, files: Iterable[str | Path], top: int = TOP) -> Iterator[Prediction]:
    """Classifies each file as soon as it is asked for; one that cannot be read gives a `Prediction` with an error.

    A sound that is longer than those that the network was trained on is cut at its pauses, and where it has none by a
    sliding window.

    Raises UsageError where `run` is no finished run's folder.
    """
    network, about = load(run)
    if about["kind"] not in READERS:
        raise UsageError(f"{run} was trained on {about['kind']}; there is no reader of such files yet.")
    return (_predict_one(network, about, str(file), top) for file in files)


def load(run: str | Path) -> tuple[nn.Module, dict[str, Any]]:
    """A finished run's network, raw signals (B, *shape) -> logits (B, classes), and what it knows of its corpus."""
    opened = Run.open(run)
    weights, about = opened.read_model()
    signal = torch.zeros(about["shape"], dtype=getattr(torch, about["dtype"]))
    features, model = build_network(opened.config, signal, len(about["labels"]), make=instantiate_own)
    network = nn.Sequential(OrderedDict(features=features, model=model))
    network.load_state_dict(weights)
    return network.eval(), about


@torch.inference_mode()
def probabilities(network: nn.Module, signals: Tensor) -> Tensor:
    """(N, *shape) -> (N, classes)."""
    return torch.cat([network(part).softmax(1) for part in signals.split(BATCH)])


def _predict_one(network: nn.Module, about: About, file: str, top: int) -> Prediction:
    try:
        reading = READERS[about["kind"]](file, about)
    except UsageError as error:
        return Prediction(file, error=str(error))
    except OSError as error:
        return Prediction(file, error=f"{file} cannot be read: {error.strerror}")
    likely = probabilities(network, reading.signals)
    if reading.times is not None:
        return Prediction(file, segments=segments(likely, reading.times, about["labels"]), notes=reading.notes)
    shares, classes = likely[0].sort(descending=True)
    ranked = [(about["labels"][i], p) for i, p in zip(classes.tolist(), shares.tolist(), strict=True)][:top]
    return Prediction(file, *ranked[0], ranked, notes=reading.notes)


def segments(likely: Tensor, times: Iterable[tuple[float, float]], labels: list[str]) -> list[Segment]:
    """The likeliest class of each piece, from (N, classes) probabilities."""
    best, classes = likely.max(1)
    answers = zip(times, classes.tolist(), best.tolist(), strict=True)
    return [Segment(start, end, labels[i], p) for (start, end), i, p in answers]


def cut(sound: Tensor, windows: Iterable[tuple[int, int]], length: int) -> Tensor:
    """(N, 1, length), the windows (first, end) in samples of a sound (1, T), each as the network takes it."""
    return torch.stack([fit_length(sound[:, first:end], length) for first, end in windows])


def _read_image(file: str, about: About) -> Reading:
    from sigconv.signals.image.digits import read_digit

    signal, inverted = read_digit(file)
    return Reading(signal[None], notes=["inverted: a dark digit on light paper"] if inverted else [])


def _read_sound(file: str, about: About) -> Reading:
    from sigconv.signals.speech.recording import read_recording
    from sigconv.signals.speech.stretches import cut_windows, slide

    rate, length = about["rate"], about["shape"][1]
    recording = read_recording(file, round(rate))
    sound = torch.from_numpy(recording.samples)
    if sound.shape[1] <= length:
        return Reading(fit_length(sound, length)[None], notes=recording.notes)
    # Where nothing stands out, the sound is steady, as a held vowel is: all of it is looked at.
    windows = cut_windows(recording.samples, rate, length) or slide(0, sound.shape[1], length)
    return Reading(cut(sound, windows, length), [(first / rate, end / rate) for first, end in windows], recording.notes)


# From a file to what the network of each kind of corpus takes.
READERS: dict[str, Callable[[str, About], Reading]] = {"image": _read_image, "audio": _read_sound}
