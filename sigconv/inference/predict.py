"""Applies a trained run to the user's own files. Apart from these, only the run's folder is read."""

import math
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sigconv.ctc import Decoder, decoder_from, end_after
from sigconv.errors import UsageError
from sigconv.inference.readers import READERS, About, Reading, check_readable
from sigconv.signals.length import pad_to_length
from sigconv.train.instantiate import instantiate_own
from sigconv.train.network import build_network
from sigconv.train.run import Run

TOP = 3  # classes named for each file
BATCH = 64  # pieces of a recording that the network takes at once


@dataclass(frozen=True)
class Segment:
    """What the network hears or sees in a piece of a long recording.

    Attributes:
        start, end: seconds.
        probability: of the class.
    """

    start: float
    end: float
    label: str
    probability: float

    def __str__(self) -> str:
        return f"{self.start:7.2f} to {self.end:6.2f} s  {self.probability:6.1%}  {self.label}"


@dataclass(frozen=True)
class Prediction:
    """The network's answer for one file.

    Attributes:
        label: the likeliest class; None if the file could not be read, is a long recording, or the network reads
            sentences.
        probability: of the label, or of the text; None if there is neither.
        top: the likeliest classes and their probabilities, the likeliest first.
        segments: the pieces of a long recording, in their order, or none where nothing stands out from the background;
            None for any other file.
        text: the sentence that was read; None for a network that classifies.
        notes: what was done to the file beforehand, such as inverting or resampling it.
        error: why there is no answer; None if there is one.
    """

    file: str
    label: str | None = None
    probability: float | None = None
    top: list[tuple[str, float]] = field(default_factory=list)
    segments: list[Segment] | None = None
    text: str | None = None
    notes: list[str] = field(default_factory=list)
    error: str | None = None

    def __str__(self) -> str:
        if self.error is not None:
            return f"error: {self.error}"
        first = f"{self.file}: {'; '.join([*self._answer(), *self.notes])}"
        return "\n".join([first, *(f"  {segment}" for segment in self.segments or ())])

    def _answer(self) -> list[str]:
        if self.segments is not None:
            return ["a long recording"]
        if self.text is not None:
            return [f"{self.text or 'nothing was read'} ({self.probability:.1%})"]
        likeliest, *others = (f"{label} ({probability:.1%})" for label, probability in self.top)
        return [likeliest, f"then {', '.join(others)}"] if others else [likeliest]


def predict(run: str | Path, files: Iterable[str | Path]) -> Iterator[Prediction]:
    """Yields the answer for each file lazily; a file that cannot be read gives a `Prediction` with an error.

    A recording longer than the network's input is cut at its pauses; one without pauses, or a video longer than all
    of the training, is cut by a sliding window, which leaves out where a video has no face. Steady noise gives no
    pieces. A network that reads sentences takes each file as a whole, and uses the decoder that the run was tested
    with.

    Raises UsageError if `run` is not a finished run's folder, or was trained on signals that files cannot give.
    """
    network, about = load(run)
    check_readable(run, about)
    decoder = decoder_of(about)
    return (read_and_answer(network, about, decoder, str(file))[0] for file in files)


def load(run: str | Path) -> tuple[nn.Module, dict[str, Any]]:
    """A finished run's network, and what the run knows about its corpus.

    The network takes raw signals (B, *shape) and gives logits (B, classes), or (B, tokens, T) if it reads sentences.
    """
    opened = Run.open(run)
    weights, about = opened.read_model()
    signal = torch.zeros(about["shape"], dtype=getattr(torch, about["dtype"]))
    if about.get("reader", {}).get("model"):
        about["reader"]["model"] = str(opened.folder / about["reader"]["model"])
    sequence = "tokens" in about
    outputs = len(about["tokens"] if sequence else about["labels"])
    features, model = build_network(opened.config, signal, outputs, make=instantiate_own, sequence=sequence)
    network = nn.Sequential(OrderedDict(features=features, model=model))
    network.load_state_dict(weights)
    return network.eval(), about


def decoder_of(about: About) -> Decoder | None:
    """The decoder with which a run reads sentences; None for one that classifies."""
    return decoder_from(about) if "tokens" in about else None


@torch.inference_mode()
def probabilities(network: nn.Module, signals: Tensor) -> Tensor:
    """(N, *shape) -> (N, classes)."""
    return torch.cat([network(part).softmax(1) for part in signals.split(BATCH)])


def read_and_answer(
    network: nn.Module, about: About, decoder: Decoder | None, file: str
) -> tuple[Prediction, Reading | None]:
    """The network's answer for a file, and the file as the network takes it, or None if it cannot be read.

    Args:
        decoder: that of `decoder_of`.
    """
    try:
        reading = READERS[about["kind"]](file, about)
        if decoder is not None:
            return _transcribe(network, about, decoder, file, reading), reading
        return _classify(network, about["labels"], file, reading), reading
    except UsageError as error:
        return Prediction(file, error=str(error)), None
    except OSError as error:
        return Prediction(file, error=f"{file} cannot be read: {error.strerror}"), None


def _classify(network: nn.Module, labels: list[str], file: str, reading: Reading) -> Prediction:
    if reading.times == []:
        return Prediction(file, segments=[], notes=reading.notes)
    likely = probabilities(network, reading.signals)
    if reading.times is not None:
        return Prediction(file, segments=segments(likely, reading.times, labels), notes=reading.notes)
    shares, classes = likely[0].sort(descending=True)
    ranked = [(labels[i], p) for i, p in zip(classes.tolist(), shares.tolist(), strict=True)][:TOP]
    return Prediction(file, *ranked[0], ranked, notes=reading.notes)


def segments(likely: Tensor, times: Iterable[tuple[float, float]], labels: list[str]) -> list[Segment]:
    """The likeliest class of each piece, from (N, classes) probabilities."""
    best, classes = likely.max(1)
    answers = zip(times, classes.tolist(), best.tolist(), strict=True)
    return [Segment(start, end, labels[i], p) for (start, end), i, p in answers]


@torch.inference_mode()
def _transcribe(network: nn.Module, about: About, decoder: Decoder, file: str, reading: Reading) -> Prediction:
    """A short signal is padded as in training, and a long one taken as it is."""
    (signal,) = reading.signals
    frames = signal.shape[1]
    padded = pad_to_length(signal, max(frames, about["shape"][1]))
    logits = end_after(network(padded[None]), torch.tensor([frames]), padded.shape[1])
    try:
        transcript = decoder(logits[0].log_softmax(0))
    except UsageError as error:
        raise UsageError(f"{file}: {error}.") from error
    probability = math.exp(transcript.score)
    return Prediction(file, probability=probability, text=transcript.text, notes=reading.notes)
