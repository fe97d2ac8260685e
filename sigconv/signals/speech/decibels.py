"""Power in dB."""

import torch
from torch import Tensor


def decibels(power: Tensor, range_db: float | None = None, silence: float = 1e-10) -> Tensor:
    """10 log10(power), with a floor ``range_db`` below the greatest value of each recording.

    Padding, and the silence around a short word, thus lie that far below the word's peak whatever its gain, and not at
    the logarithm of almost nothing, which would dwarf all differences within the word. The same as ``top_db`` of
    librosa.power_to_db, but per recording of a batch. Differentiable; below the floor, the gradient is the peak's.

    Args:
        power: (B, ...), not negative.
        range_db: None for no floor but ``silence``.
        silence: the smallest power that is distinguished from none.
    """
    power = power.clamp(min=silence)
    if range_db is not None:
        peak = power.amax(tuple(range(1, power.ndim)), keepdim=True)
        power = torch.maximum(power, peak * 10 ** (-range_db / 10))
    return 10 * power.log10()
