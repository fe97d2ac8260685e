"""How well a network recognises signals that are shifted, deformed, noisy or clipped."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from sigconv.errors import UsageError
from sigconv.padding import crop, pad_constant
from sigconv.signals.augmentation import Augmentation
from sigconv.signals.image import RandomWarp
from sigconv.signals.speech.augment import AddNoise, Overload
from sigconv.train.data import CorpusData
from sigconv.train.options import fits

SMOOTHNESS = 5.0  # pixels: the elastic_sigma of deformations
RANGE = 100  # dB: more than there is between the loudest and the quietest sample in 16 bits
PINK = 1.0, 1.0  # as the colour of AddNoise


def accuracy_by_shift(network: nn.Module, data: CorpusData, shifts: Sequence[float]) -> dict[str, float]:
    """Accuracy on the test signals when all are shifted by each number of samples, averaged over all directions.

    There are two directions along each axis. Zeros are shifted in, and what is shifted out is lost.

    Args:
        network: raw signals (B, *shape) -> logits (B, classes), in evaluation.
        shifts: in whole samples, or pixels.
    """
    return {str(shift): _accuracy(network, data, partial(_moved, shift=shift)) for shift in map(int, shifts)}


def accuracy_by_deformation(network: nn.Module, data: CorpusData, strengths: Sequence[float]) -> dict[str, float]:
    """Accuracy on the test pictures under elastic distortion of each strength, which is the same at every call.

    Args:
        network: raw pictures (B, C, H, W) -> logits (B, classes), in evaluation.
        strengths: the elastic_alpha of :class:`sigconv.signals.image.RandomWarp`.
    """
    return {f"{strength:g}": _accuracy(network, data, partial(_deformed, strength=strength)) for strength in strengths}


def accuracy_by_noise(network: nn.Module, data: CorpusData, ratios: Sequence[float]) -> dict[str, float]:
    """Accuracy on the test recordings in pink noise at each ratio; the noise is the same at every call.

    Args:
        network: waveforms (B, 1, T) -> logits (B, classes), in evaluation.
        ratios: signal to noise, in dB, as defined by :class:`sigconv.signals.speech.augment.AddNoise`.
    """
    rate = data.corpus.info.rate
    assert rate is not None
    return _accuracy_under(network, data, ratios, lambda ratio: AddNoise(rate, (ratio, ratio), PINK))


def accuracy_by_overload(network: nn.Module, data: CorpusData, levels: Sequence[float]) -> dict[str, float]:
    """Accuracy on the test recordings if they had been recorded too loud, and clipped.

    Args:
        network: waveforms (B, 1, T) -> logits (B, classes), in evaluation.
        levels: of each recording's peak above full scale, in dB.
    """
    return _accuracy_under(network, data, levels, lambda level: Overload((level, level)))


def _accuracy_under(
    network: nn.Module, data: CorpusData, amounts: Sequence[float], augmentation: Callable[[float], Augmentation]
) -> dict[str, float]:
    """Accuracy on the test signals as augmented by each amount."""
    by = {amount: augmentation(amount).train() for amount in amounts}
    return {f"{amount:g}": _accuracy(network, data, partial(_augmented, by=by[amount])) for amount in by}


@dataclass(frozen=True)
class Change:
    """A change to the test signals whose effect on the accuracy is measured.

    Attributes:
        option: of the config, with a list of amounts.
        unit: of an amount.
        axis: label of the axis of amounts in a plot.
        measure: gives the accuracy at each amount.
        least, most: amounts allowed.
        whole: whether amounts are whole numbers.
    """

    option: str
    unit: str
    axis: str
    measure: Callable[[nn.Module, CorpusData, Sequence[float]], dict[str, float]]
    least: float = 0
    most: float = math.inf
    whole: bool = False

    def in_words(self, shares: Mapping[str, float]) -> str:
        return ", ".join(f"{share:.2%} at {amount}{self.unit}" for amount, share in shares.items())


CHANGES = {
    "shift": Change(
        "shifts", "", "shift in samples or pixels, mean over all directions", accuracy_by_shift, whole=True
    ),
    "deformation": Change("deformations", "", "strength of elastic distortion", accuracy_by_deformation, most=1000),
    "noise": Change("snr", " dB", "signal to pink noise, dB", accuracy_by_noise, -RANGE, RANGE),
    "overload": Change("overloads", " dB", "peak above full scale, dB", accuracy_by_overload, most=RANGE),
}
"""The changes by their names in the metrics."""


def wanted_changes(config: Mapping[str, Any]) -> dict[str, list[float]]:
    """The amounts of each change that a config asks for; raises UsageError for anything but lists of valid numbers."""
    found = {name: config.get(change.option) for name, change in CHANGES.items()}
    for name, amounts in found.items():
        change = CHANGES[name]
        given = f"{change.option}={amounts}"
        if not fits(amounts, Sequence[float] | None):
            raise UsageError(f"{given}: it is a list of numbers, such as [20, 10], or null.")
        if amounts and min(amounts) < change.least:
            raise UsageError(f"{given}: it must be at least {change.least:g}.")
        if amounts and max(amounts) > change.most:
            raise UsageError(f"{given}: it must be at most {change.most:g}.")
        if amounts and change.whole and any(amount % 1 for amount in amounts):
            raise UsageError(f"{given}: signals are shifted by whole samples or pixels.")
    return {name: list(amounts) for name, amounts in found.items() if amounts}


@torch.inference_mode()
def _accuracy(network: nn.Module, data: CorpusData, changed: Callable[[Tensor], Iterator[Tensor]]) -> float:
    """Accuracy over all changed versions of the test signals; random changes are the same at every call."""
    device = next(network.parameters()).device
    test = data.corpus.split("test")
    right = asked = 0
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for batch, answers in zip(data.all_signals(test), test.labels.split(data.batch_size), strict=True):
            for x in changed(batch.to(device)):
                right += int((network(x).argmax(1).cpu() == answers).sum())
                asked += len(answers)
    return right / asked


def _moved(x: Tensor, shift: int) -> Iterator[Tensor]:
    """x (B, channels, *size) moved by ``shift`` samples in each direction; x itself if that is 0."""
    if shift == 0:
        yield x
        return
    ndim = x.ndim - 2
    for axis in range(ndim):
        for pair in ((shift, 0), (0, shift)):
            pads = [pair if a == axis else (0, 0) for a in range(ndim)]
            yield crop(pad_constant(x, pads), [(after, before) for before, after in pads])


def _deformed(x: Tensor, strength: float) -> Iterator[Tensor]:
    """x (B, C, H, W) in its own dtype, each picture distorted differently; x itself if the strength is 0."""
    warp = RandomWarp(elastic_alpha=strength, elastic_sigma=SMOOTHNESS).train()
    yield warp(x.float()).round().to(x.dtype) if strength else x


def _augmented(x: Tensor, by: Augmentation) -> Iterator[Tensor]:
    yield by(x)
