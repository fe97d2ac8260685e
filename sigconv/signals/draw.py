"""Random draws of augmentation, one per example of a batch."""

import math

import torch
from torch import Tensor


def draw(like: Tensor, low: float, high: float) -> Tensor:
    """One number for each example, uniform in [low, high): (B, 1, 1)."""
    return like.new_empty(len(like), 1, 1).uniform_(low, high)


def draw_factor(like: Tensor, limit: float) -> Tensor:
    """One factor for each example in [1 / (1 + limit), 1 + limit], uniform in its logarithm: (B, 1, 1)."""
    return draw(like, -math.log1p(limit), math.log1p(limit)).exp()


def draw_masks(count: int, size: int, share: float, masks: int, device: torch.device) -> Tensor:
    """Which places on an axis any of `masks` intervals covers, drawn separately for each example: bool (count, size).

    Widths are uniform over 0..floor(share * size), start positions over 0..size - width.
    """
    width, start = torch.rand(2, count, masks, 1, device=device)
    width = (width * (int(share * size) + 1)).floor()
    start = (start * (size - width + 1)).floor()
    place = torch.arange(size, device=device)
    return ((place >= start) & (place < start + width)).any(1)
