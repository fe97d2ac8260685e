"""How well a network knows what has moved."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from sigconv.corpus import Split
from sigconv.padding import crop, pad_constant

BATCH = 500


@torch.inference_mode()
def accuracy_by_shift(network: nn.Module, split: Split, shifts: Sequence[int]) -> dict[str, float]:
    """The share of signals that are told right when all are moved by so many samples, the mean over all directions.

    Directions are both along each axis. What comes in is zero, and what goes out is lost.

    Args:
        network: raw signals (B, *shape) -> logits (B, classes), in evaluation.
        shifts: in samples, or pixels.
    """
    device = next(network.parameters()).device
    signals, labels = split.tensors()
    found = {}
    for shift in shifts:
        right = tested = 0
        for batch, answers in zip(signals.split(BATCH), labels.split(BATCH), strict=True):
            for moved in _moved(batch.to(device), shift):
                right += int((network(moved).argmax(1).cpu() == answers).sum())
                tested += len(answers)
        found[str(shift)] = right / tested
    return found


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
