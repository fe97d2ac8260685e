"""Power in dB."""

import torchaudio.functional as AF
from torch import Tensor


def decibels(power: Tensor, range_db: float | None = None, silence: float = 1e-10) -> Tensor:
    """10 log10(power), with a floor ``range_db`` below the greatest value of each recording.

    Padding, and the silence around a short word, thus lie that far below the word's peak whatever its gain, and not at
    the logarithm of almost nothing, which would dwarf all differences within the word. Differentiable; below the floor,
    the gradient is the peak's.

    Args:
        power: (B, 1, bands, frames), not negative. Without the first axis or two, all is one recording.
        range_db: None for no floor but ``silence``.
        silence: the smallest power that is distinguished from none.
    """
    return AF.amplitude_to_DB(power, 10.0, silence, 0.0, range_db)
