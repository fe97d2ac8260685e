"""How well a network knows what has moved, or is deformed."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from sigconv.corpus import Split
from sigconv.padding import crop, pad_constant
from sigconv.signals.image import RandomWarp

BATCH = 500
SMOOTHNESS = 5.0  # pixels: the elastic_sigma of deformations


@torch.inference_mode()
def accuracy_by_shift(network: nn.Module, split: Split, shifts: Sequence[int]) -> dict[str, float]:
    """The share of signals that are told right when all are moved by so many samples, the mean over all directions.

    Directions are both along each axis. What comes in is zero, and what goes out is lost.

    Args:
        network: raw signals (B, *shape) -> logits (B, classes), in evaluation.
        shifts: in samples, or pixels.
    """
    return {str(shift): _accuracy(network, split, partial(_moved, shift=shift)) for shift in shifts}


@torch.inference_mode()
def accuracy_by_deformation(network: nn.Module, split: Split, strengths: Sequence[float]) -> dict[str, float]:
    """The share of pictures that are told right when each is distorted by so much, the same way at every call.

    Args:
        network: raw pictures (B, C, H, W) -> logits (B, classes), in evaluation.
        strengths: the elastic_alpha of :class:`sigconv.signals.image.RandomWarp`.
    """
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return {f"{s:g}": _accuracy(network, split, partial(_deformed, strength=s)) for s in strengths}


def _accuracy(network: nn.Module, split: Split, changed: Callable[[Tensor], Iterator[Tensor]]) -> float:
    """The share that is right of all that the signals are changed into."""
    device = next(network.parameters()).device
    signals, labels = split.tensors()
    right = tested = 0
    for batch, answers in zip(signals.split(BATCH), labels.split(BATCH), strict=True):
        for x in changed(batch.to(device)):
            right += int((network(x).argmax(1).cpu() == answers).sum())
            tested += len(answers)
    return right / tested


def _moved(x: Tensor, shift: int) -> Iterator[Tensor]:
    """x (B, channels, *size) moved by ``shift`` samples in each direction; itself where that is none."""
    if shift == 0:
        yield x
        return
    ndim = x.ndim - 2
    for axis in range(ndim):
        for pair in ((shift, 0), (0, shift)):
            pads = [pair if a == axis else (0, 0) for a in range(ndim)]
            yield crop(pad_constant(x, pads), [(after, before) for before, after in pads])


def _deformed(x: Tensor, strength: float) -> Iterator[Tensor]:
    """x (B, C, H, W), of its dtype, every picture distorted in another way; itself where the strength is 0."""
    warp = RandomWarp(elastic_alpha=strength, elastic_sigma=SMOOTHNESS).train()
    yield warp(x.float()).round().to(x.dtype) if strength else x
