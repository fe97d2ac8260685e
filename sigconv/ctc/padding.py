"""Where a signal has ended, nothing is said."""

import torch
from torch import Tensor

from sigconv.ctc.tokens import BLANK


def frames_of(lengths: Tensor, padded: int, frames: int) -> Tensor:
    """(B,) int64: how many of a network's `frames` see some of each signal, of these lengths before they are padded."""
    return (lengths * frames + padded - 1) // padded


def end_after(logits: Tensor, lengths: Tensor, padded: int) -> Tensor:
    """Makes all frames that see nothing but padding certain of the blank.

    A text is then as likely as if they were not there, and so is what the others spell.

    Args:
        logits: (B, tokens, T).
        lengths: (B,) int64, of the signals before they were padded.
        padded: their common length after that.
    """
    frames = logits.shape[2]
    ended = torch.arange(frames, device=logits.device) >= frames_of(lengths, padded, frames)[:, None]
    blank = logits.new_full((1, logits.shape[1], 1), -torch.inf)
    blank[:, BLANK] = 0
    return torch.where(ended[:, None], blank, logits)
