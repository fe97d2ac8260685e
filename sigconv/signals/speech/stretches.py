"""Finds where in a long recording something is said."""

import numpy as np

from sigconv.signals.length import Piece, slide
from sigconv.signals.speech.loudness import voice_power

RANGE_DB = 35  # frames further below the loudest one near them do not count
NEAR = 5  # seconds before and after: who speaks from further away later, or after a bump, is heard
ABOVE_NOISE_DB = 4.5  # nor frames that are not this far above the quietest tenth of the recording
DIGITAL_SILENCE_DB = -30  # of one step of 16 bits
PAUSE = 0.2  # seconds: shorter ones are part of a word, such as the closure of a stop
SHORTEST = 0.06  # seconds: shorter stretches are clicks
UNBROKEN = 0.95  # share of a stretch: where more of it stands out from its own noise, there are no pauses in it


def find_stretches(samples: np.ndarray, rate: float) -> list[tuple[int, int]]:
    """The stretches between pauses, as (first, end) in samples.

    Args:
        samples: (1, T), int16 or float64.
        rate: samples a second.
    """
    from scipy.ndimage import maximum_filter1d  # here, as scipy takes a third of a second to import

    power, frame = voice_power(samples[0], rate)
    power = (power + np.append(power[1:], 0)) / 2  # 20 ms, a period of the mains, through which a buzz is steady
    level = 10 * np.log10(power + 1e-12)
    loudest = maximum_filter1d(level, 2 * round(NEAR * rate / frame) + 1)
    loud = level > np.maximum(loudest - RANGE_DB, _noise(level) + ABOVE_NOISE_DB)
    edges = np.flatnonzero(np.diff(np.pad(loud.astype(np.int8), 1))) * frame
    runs = [(int(first), min(int(end), samples.shape[1])) for first, end in edges.reshape(-1, 2)]
    return [run for run in _joined(runs, PAUSE * rate) if run[1] - run[0] >= SHORTEST * rate]


def _noise(level: np.ndarray) -> float:
    """The level of the quietest tenth between the digital silence at the ends, unless all of that is about as loud."""
    sounding = np.flatnonzero(level > DIGITAL_SILENCE_DB)
    inside = level[sounding[0] : sounding[-1] + 1] if sounding.size else level
    noise = np.percentile(inside, 10)
    return float(noise if inside.max() > noise + RANGE_DB / 2 else np.percentile(level, 10))


def cut_pieces(samples: np.ndarray, rate: float, length: int) -> list[Piece]:
    """The pieces of a recording to look at one by one, with windows of at most `length`.

    Each stretch between pauses is one; it is heard with what is around it, as in training, up to the middle of the
    pauses or what `length` has room for. A stretch longer than `length` is cut further by the noise in it alone; over
    one that stays longer, a window slides by half its length.
    """
    found = find_stretches(samples, rate)
    stretches = [finer for stretch in found for finer in _cut_by_its_own_noise(samples, rate, stretch, length)]
    pieces: list[Piece] = []
    for i, (first, end) in enumerate(stretches):
        room = (length - (end - first)) // 2
        if room < 0:
            pieces += slide(first, end, length)
        else:
            before = (first - stretches[i - 1][1]) // 2 if i > 0 else first
            after = (stretches[i + 1][0] - end) // 2 if i + 1 < len(stretches) else samples.shape[1] - end
            pieces.append(Piece(first, end, (first - min(room, before), end + min(room, after))))
    return pieces


def _cut_by_its_own_noise(
    samples: np.ndarray, rate: float, stretch: tuple[int, int], length: int
) -> list[tuple[int, int]]:
    """What of a stretch longer than `length` stands out from the noise in it alone: nothing, if it is steady.

    A background may change within a recording: a fan is switched on, a microphone muted for a while, or the pauses
    gated. By the noise of the quieter part, all of the louder one is a single stretch, whatever is said in it. A held
    vowel that is as steady as noise is lost with it, but words are not invented where nobody speaks.
    """
    first, end = stretch
    if end - first <= length:
        return [stretch]
    inner = [(first + a, first + b) for a, b in find_stretches(samples[:, first:end], rate)]
    if sum(b - a for a, b in inner) > UNBROKEN * (end - first):
        return inner
    return [finer for one in inner for finer in _cut_by_its_own_noise(samples, rate, one, length)]


def _joined(runs: list[tuple[int, int]], pause: float) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for first, end in runs:
        if joined and first - joined[-1][1] < pause:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((first, end))
    return joined
