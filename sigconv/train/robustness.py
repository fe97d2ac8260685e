"""How well a network recognises signals that are shifted, deformed, noisy or clipped."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from sigconv.errors import UsageError
from sigconv.padding import crop, pad_constant
from sigconv.signals.image import RandomWarp
from sigconv.signals.speech.augment import AddNoise, Overload
from sigconv.train.data import CorpusData
from sigconv.train.options import fits

SMOOTHNESS = 5.0  # pixels: the elastic_sigma of deformations
RANGE = 100  # dB: more than there is between the loudest and the quietest sample in 16 bits
PINK = 1.0, 1.0  # as the colour of AddNoise


@dataclass(frozen=True)
class Change:
    """A change to the test signals whose effect on the accuracy is measured.

    Attributes:
        option: of the config, with a list of amounts.
        unit: of an amount.
        axis: label of the axis of amounts in a plot.
        versions: signals (B, *shape), an amount and the sampling rate, if there is one -> each changed version of them.
        least, most: amounts allowed.
        whole: whether amounts are whole numbers.
    """

    option: str
    unit: str
    axis: str
    versions: Callable[[Tensor, float, float | None], Iterator[Tensor]]
    least: float = 0
    most: float = math.inf
    whole: bool = False

    def measure(self, network: nn.Module, data: CorpusData, amounts: Sequence[float]) -> dict[str, float]:
        """Accuracy on the test signals when all are changed by each amount; random changes are the same at every call.

        Args:
            network: raw signals (B, *shape) -> logits (B, classes), in evaluation.
        """
        return {f"{amount:g}": self._accuracy(network, data, amount) for amount in amounts}

    @torch.inference_mode()
    def _accuracy(self, network: nn.Module, data: CorpusData, amount: float) -> float:
        """Over all changed versions of the test signals."""
        device = next(network.parameters()).device
        test, rate = data.corpus.split("test"), data.corpus.info.rate
        right = asked = 0
        with torch.random.fork_rng():
            torch.manual_seed(0)
            for batch, answers in zip(data.all_signals(test), test.labels.split(data.batch_size), strict=True):
                for x in self.versions(batch.to(device), amount, rate):
                    right += int((network(x).argmax(1).cpu() == answers).sum())
                    asked += len(answers)
        return right / asked

    def in_words(self, shares: Mapping[str, float]) -> str:
        return ", ".join(f"{share:.2%} at {amount}{self.unit}" for amount, share in shares.items())


def _moved(x: Tensor, amount: float, rate: float | None) -> Iterator[Tensor]:
    """x moved by a number of samples, or pixels, in each direction; zeros come in. x itself if that is 0."""
    if amount == 0:
        yield x
        return
    ndim, shift = x.ndim - 2, int(amount)
    for axis in range(ndim):
        for pair in ((shift, 0), (0, shift)):
            pads = [pair if a == axis else (0, 0) for a in range(ndim)]
            yield crop(pad_constant(x, pads), [(after, before) for before, after in pads])


def _deformed(x: Tensor, amount: float, rate: float | None) -> Iterator[Tensor]:
    """Pictures in their own dtype, each distorted differently, `amount` being elastic_alpha; x itself if that is 0."""
    warp = RandomWarp(elastic_alpha=amount, elastic_sigma=SMOOTHNESS).train()
    yield warp(x.float()).round().to(x.dtype) if amount else x


def _noisy(x: Tensor, amount: float, rate: float | None) -> Iterator[Tensor]:
    """Recordings in pink noise, `amount` being the `snr` of `AddNoise`."""
    assert rate is not None
    yield AddNoise(rate, (amount, amount), PINK).train()(x)


def _overloaded(x: Tensor, amount: float, rate: float | None) -> Iterator[Tensor]:
    """Recordings as if recorded too loud, and clipped."""
    yield Overload((amount, amount)).train()(x)


CHANGES = {
    "shift": Change("shifts", "", "shift in samples or pixels, mean over all directions", _moved, whole=True),
    "deformation": Change("deformations", "", "strength of elastic distortion", _deformed, most=1000),
    "noise": Change("snr", " dB", "signal to pink noise, dB", _noisy, -RANGE, RANGE),
    "overload": Change("overloads", " dB", "peak above full scale, dB", _overloaded, most=RANGE),
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
