"""Where in a recording somebody speaks."""

from functools import cache

import numpy as np

FRAME = 0.01  # seconds
MEDIAN = 7  # frames: what touches less than half of them, as all that lasts less than 20 ms does, is a click
LOWEST = 100  # Hz: hum of the mains, wind and steps lie below, and of a voice at most the lowest harmonic


def voice_power(sound: np.ndarray, rate: float) -> tuple[np.ndarray, int]:
    """The power of each frame of 10 ms, (frames,) float64, and how many samples a frame has.

    An offset and what is below 100 Hz do not count, nor what lasts less than 20 ms, where there is anything else. It is
    for finding a voice only: networks hear the sound as it is.

    Args:
        sound: (T,), int16 or float64. The last frame is filled up with zeros.
        rate: samples a second. From less than 400 no frequency is left out.
    """
    from scipy.ndimage import median_filter  # here, as scipy takes a third of a second to import

    frame = max(1, round(FRAME * rate))
    frames = -(-len(sound) // frame)
    filled = np.pad(_without_rumble(sound - sound.mean(), rate), (0, frames * frame - len(sound)))
    power = np.square(filled, out=filled).reshape(frames, frame).mean(1)
    lasting = median_filter(power, MEDIAN, mode="constant")
    return (lasting if lasting.any() else power), frame


def _without_rumble(sound: np.ndarray, rate: float) -> np.ndarray:
    if rate < 4 * LOWEST:
        return sound
    from scipy.signal import sosfilt

    return np.asarray(sosfilt(_highpass(rate), sound))


@cache
def _highpass(rate: float) -> np.ndarray:
    """A Butterworth filter of order 4; designing it takes longer than filtering a second by it."""
    from scipy.signal import butter

    return np.asarray(butter(4, LOWEST, "highpass", fs=rate, output="sos"))
