"""Where in a recording somebody speaks: what does not tell."""

from functools import cache

import numpy as np

LOWEST = 100  # Hz: hum of the mains, wind and steps lie below, and of a voice at most the lowest harmonic


def without_rumble(sound: np.ndarray, rate: float) -> np.ndarray:
    """(..., T) float64 without what is below 100 Hz, by a Butterworth filter of order 4.

    It is for finding a voice only: networks hear the sound as it is. Sound of less than 400 samples a second is left
    as it is.
    """
    if rate < 4 * LOWEST:
        return sound
    from scipy.signal import sosfilt  # here, as it takes a third of a second to import

    return np.asarray(sosfilt(_highpass(rate), sound))


@cache
def _highpass(rate: float) -> np.ndarray:
    """Its sections of second order; designing them takes longer than filtering a second by them."""
    from scipy.signal import butter

    return np.asarray(butter(4, LOWEST, "highpass", fs=rate, output="sos"))
