"""A trained run, used on somebody's own files. Nothing is read but the run's folder."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sigconv.errors import UsageError
from sigconv.train.instantiate import instantiate_own
from sigconv.train.run import Run

TOP = 3  # classes named for each file


@dataclass(frozen=True)
class Prediction:
    """What the network says of one file.

    Attributes:
        label, probability: the likeliest class; None where the file could not be read.
        top: the likeliest classes and their probabilities, the likeliest first.
        notes: what was done to the file before, such as that it was inverted.
        error: why there is no label.
    """

    file: str
    label: str | None = None
    probability: float | None = None
    top: list[tuple[str, float]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    error: str | None = None


def predict(run: str | Path, files: Iterable[str | Path], top: int = TOP) -> Iterator[Prediction]:
    """Classifies each file as soon as it is asked for; one that cannot be read gives a `Prediction` with an error.

    Raises UsageError where `run` is no finished run's folder.
    """
    network, about = load(run)
    read = READERS.get(about["kind"])
    if read is None:
        raise UsageError(f"{run} was trained on {about['kind']}; there is no reader of such files yet.")
    return (_predict_one(network, about["labels"], read, str(file), top) for file in files)


def load(run: str | Path) -> tuple[nn.Module, dict[str, Any]]:
    """A finished run's network, raw signals (B, *shape) -> logits (B, classes), and what it knows of its corpus."""
    opened = Run.open(run)
    weights, about = opened.read_model()
    parts = {name: instantiate_own(opened.config[name]) for name in ("features", "model")}
    network = nn.Sequential(OrderedDict(parts))
    network.load_state_dict(weights)
    return network.eval(), about


@torch.inference_mode()
def _predict_one(
    network: nn.Module, labels: list[str], read: Callable[[str], tuple[Tensor, list[str]]], file: str, top: int
) -> Prediction:
    try:
        signal, notes = read(file)
    except UsageError as error:
        return Prediction(file, error=str(error))
    except OSError as error:
        return Prediction(file, error=f"{file} cannot be read: {error.strerror}")
    probabilities, classes = network(signal[None])[0].softmax(0).sort(descending=True)
    ranked = [(labels[i], p) for i, p in zip(classes.tolist(), probabilities.tolist(), strict=True)][:top]
    return Prediction(file, *ranked[0], ranked, notes)


def _read_image(file: str) -> tuple[Tensor, list[str]]:
    from sigconv.signals.digits import read_digit

    signal, inverted = read_digit(file)
    return signal, ["inverted: a dark digit on light paper"] if inverted else []


# From a file to the raw signal of each kind of corpus, and what there is to say about it.
READERS: dict[str, Callable[[str], tuple[Tensor, list[str]]]] = {"image": _read_image}
