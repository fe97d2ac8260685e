"""Formant synthesis of syllables of a voiced stop and a vowel: pulses and noise through resonators that move.

After D. H. Klatt: Software for a cascade/parallel formant synthesizer. JASA 67(3):971-995, 1980. Signals and their
control parameters are arrays (time, signals), so that one pass through time makes many signals at once. The places of
articulation differ in

- where the formants come from: F1 always rises, F2 and F3 move from the consonant's locus to the vowel. P. C. Delattre,
  A. M. Liberman, F. S. Cooper: Acoustic loci and transitional cues for consonants. JASA 27(4):769-773, 1955;
- the burst: low and flat (b), high (d), or a single peak near F2 (g). K. N. Stevens, S. E. Blumstein: Invariant cues
  for place of articulation in stop consonants. JASA 64(5):1358-1368, 1978.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np

# F1, F2 and F3 in Hz, the means of 33 men. G. E. Peterson, H. L. Barney: Control methods used in a study of the vowels.
# JASA 24(2):175-184, 1952. The higher formants and the bandwidths are near the defaults of Klatt 1980, table I.
VOWELS = {
    "a": (730, 1090, 2440),
    "i": (270, 2290, 3010),
    "u": (300, 870, 2240),
    "e": (530, 1840, 2480),
    "o": (570, 840, 2410),
}
HIGH_FORMANTS = (3500, 4500)
BANDWIDTHS = (60, 90, 140, 250, 300)
CLOSED_F1 = 200  # Hz, F1 of a closed mouth
PINCH = 350  # Hz, from F2 to F3 at a velar closure

Range = tuple[float, float]  # the limits of a random draw


@dataclass(frozen=True)
class Place:
    """A place of articulation. Frequencies are the average man's, in Hz; times are in seconds.

    Args:
        f2, f3: the loci; None for an F3 that is pinched with F2.
        reach: how close F2 and F3 still are to the locus when the vowel begins, from 0 (at the vowel's value) to 1 (at
            the locus). According to the slopes of locus equations it is largest for d and smallest for b.
        transition: from the vowel's onset until its formants are reached.
        voicing: from the opening of the mouth to the vowel's onset.
        burst: frequency and bandwidth of the noise; None for the frequency of F2.
        decay: time in which the noise decays to 1/e.
        level: of the burst's peak against the vowel's, in dB.
    """

    f2: float
    f3: float | None
    reach: Range
    transition: Range
    voicing: Range
    burst: tuple[float | None, float]
    decay: Range
    level: Range


PLACES = {
    "b": Place(900, 2150, (0.2, 0.45), (0.030, 0.045), (0.002, 0.012), (600, 1500), (0.002, 0.005), (-26, -12)),
    "d": Place(1800, 2750, (0.5, 0.75), (0.035, 0.060), (0.005, 0.018), (3800, 1000), (0.004, 0.008), (-20, -6)),
    "g": Place(2250, None, (0.35, 0.60), (0.045, 0.075), (0.012, 0.030), (None, 250), (0.006, 0.012), (-20, -6)),
}
SYLLABLES = tuple(product(VOWELS, PLACES))

# The scale of the formants (1 for the average man), and f0 in Hz.
VOICES = {"man": ((0.85, 1.02), (90, 150)), "woman": ((1.05, 1.18), (150, 250)), "child": ((1.12, 1.25), (220, 300))}


class Draw:
    """Random numbers for each syllable of each voice, voice by voice: arrays (voices * syllables,)."""

    def __init__(self, rng: np.random.Generator, voices: int) -> None:
        self.rng = rng
        self.voices = voices
        self.signals = voices * len(SYLLABLES)

    def voice(self, low: float | np.ndarray, high: float | np.ndarray) -> np.ndarray:
        """One number for all that a voice says, between limits that may differ between voices."""
        return np.repeat(self.rng.uniform(low, high, self.voices), len(SYLLABLES))

    def each(self, low: float, high: float) -> np.ndarray:
        return self.rng.uniform(low, high, self.signals)

    def place(self, name: str) -> np.ndarray:
        """A number for each signal, between the limits that its place of articulation has under this name."""
        low, high = self.of_place(name).T
        return self.rng.uniform(low, high)

    def of_place(self, name: str) -> np.ndarray:
        """(signals, ...): what each signal's place of articulation has under this name."""
        return np.array([getattr(PLACES[consonant], name) for _, consonant in SYLLABLES] * self.voices, float)


def speak(draw: Draw, kinds: list[str], rate: float, samples: int, onset: Range) -> np.ndarray:
    """All syllables by each voice: (samples, voices * syllables), each vowel with a peak magnitude of 1.

    Args:
        kinds: a key of `VOICES` for each voice.
        rate: in Hz.
        onset: of the vowel, in seconds.
    """
    scale, f0 = (draw.voice(*ends.T) for ends in np.array([VOICES[kind] for kind in kinds]).swapaxes(0, 1))
    tempo = draw.voice(0.8, 1.2) * draw.each(0.9, 1.1)
    time = np.arange(samples)[:, None] / rate - draw.each(*onset)  # from the vowel's onset
    opened = time + draw.place("voicing")  # from the opening of the mouth
    formants = _formants(draw, scale, time * tempo)

    f0 = f0 * draw.each(0.9, 1.1) * (1 + draw.each(-0.8, 0.4) * time)
    pulses = glottal_pulses(f0, rate, draw.rng, open_quotient=draw.voice(0.5, 0.75), jitter=0.01, shimmer=0.05)
    noise = draw.rng.standard_normal(time.shape)
    ending = draw.each(0.1, 0.3) / tempo - time
    source = pulses * _gate(time, 0.008) * _gate(ending, 0.04)
    source += noise * draw.voice(0.02, 0.2) * _gate(opened, 0.002) * _gate(ending, 0.04)
    bandwidths = [width * draw.voice(0.8, 1.4) for width in BANDWIDTHS]
    vowel = _peak(cascade(source, formants, bandwidths, rate), 0)

    pulses *= _gate(draw.each(-0.02, 0.12) + opened, 0.01) * _gate(-opened, 0.005)
    bar = _peak(resonate(pulses, CLOSED_F1 * scale, np.array(80.0), rate), draw.each(-30, -12))

    centre, width = draw.of_place("burst").T
    at_f2 = formants[1][np.argmax(opened > 0, axis=0), np.arange(draw.signals)]
    centre = np.where(np.isnan(centre), at_f2, centre * scale) * draw.each(0.9, 1.1)
    fading = np.exp(-np.maximum(opened, 0) / draw.place("decay")) * (opened > 0)
    hiss = np.diff(draw.rng.standard_normal(time.shape), axis=0, prepend=0)
    burst = _peak(resonate(hiss * fading, centre, width, rate), draw.place("level"))
    return vowel + bar + burst


def _formants(draw: Draw, scale: np.ndarray, time: np.ndarray) -> list[np.ndarray]:
    """The five formants in Hz, (time, signals) or (signals,): from the consonant to the vowel, along half a cosine."""
    f1, f2, f3 = (draw.each(0.95, 1.05) * f for f in np.tile([VOWELS[v] for v, _ in SYLLABLES], (draw.voices, 1)).T)
    reach, locus2, locus3 = draw.place("reach"), draw.of_place("f2"), draw.of_place("f3")
    from_f1 = CLOSED_F1 + draw.each(0, 0.2) * (f1 - CLOSED_F1)
    from_f2 = f2 + reach * (locus2 * draw.voice(0.95, 1.05) * draw.each(0.97, 1.03) - f2)
    locus3 = np.where(np.isnan(locus3), from_f2 + PINCH, locus3) * draw.each(0.95, 1.05)
    from_f3 = f3 + np.maximum(reach, 0.5) * (locus3 - f3)
    away = (1 + np.cos(np.pi * np.clip(time / draw.place("transition"), 0, 1))) / 2
    moving = [v + (c - v) * away for v, c in ((f1, from_f1), (f2, from_f2), (f3, from_f3))]
    return [scale * f for f in (*moving, *(draw.voice(0.95, 1.05) * f for f in HIGH_FORMANTS))]


def glottal_pulses(
    f0: np.ndarray, rate: float, rng: np.random.Generator, *, open_quotient: np.ndarray, jitter: float, shimmer: float
) -> np.ndarray:
    """The derivative of the glottal flow, in pulses of Rosenberg's trigonometric shape: (time, signals).

    A. E. Rosenberg: Effect of glottal pulse shape on the quality of natural vowels. JASA 49(2):583-590, 1971. The
    derivative accounts for the radiation from the lips; a difference of the flow aliases less than its formula.

    Args:
        f0: (time, signals) in Hz.
        open_quotient: (signals,), the part of a period in which the glottis is open; two thirds of it is opening.
        jitter, shimmer: standard deviations of the pulses' times, in periods, and of their heights, whose mean is 1.
    """
    phase = np.cumsum(f0 / rate, axis=0) + rng.random(f0.shape[1])
    period, signal = phase.astype(int), np.arange(f0.shape[1])
    late = jitter * rng.standard_normal((period.max() + 2, f0.shape[1]))
    height = 1 + shimmer * rng.standard_normal(late.shape)
    within = phase - period
    phase += late[period, signal] * (1 - within) + late[period + 1, signal] * within  # continuous, so no clicks
    period = np.floor(phase).astype(int)
    within = phase - period
    opening = open_quotient * 2 / 3
    rising = (1 - np.cos(np.pi * within / opening)) / 2
    falling = np.cos(np.pi / 2 * np.clip((within - opening) / (open_quotient - opening), 0, 1))
    flow = height[period, signal] * np.where(within < opening, rising, falling)
    return np.diff(flow, axis=0, prepend=flow[:1]) * rate / f0


def cascade(source: np.ndarray, formants: list[np.ndarray], bandwidths: list[np.ndarray], rate: float) -> np.ndarray:
    """Resonators in series, which give the formants the relative amplitudes that a vocal tract gives them."""
    for frequency, bandwidth in zip(formants, bandwidths, strict=True):
        source = resonate(source, frequency, bandwidth, rate)
    return source


def resonate(source: np.ndarray, frequency: np.ndarray, bandwidth: np.ndarray, rate: float) -> np.ndarray:
    """A second-order resonator of gain 1 at 0 Hz (Klatt 1980, equations 1 and 2), whose frequency may vary in time.

    Args:
        source: (time, signals).
        frequency, bandwidth: in Hz; each broadcasts to the source's shape.
        rate: in Hz, more than twice the frequency.
    """
    radius = np.exp(-np.pi * bandwidth / rate)
    c = np.broadcast_to(-(radius**2), source.shape)
    b = np.broadcast_to(2 * radius * np.cos(2 * np.pi * frequency / rate), source.shape)
    out = (1 - b - c) * source
    before, last = np.zeros((2, source.shape[1]))
    for now, b_now, c_now in zip(out, b, c, strict=True):
        now += b_now * last + c_now * before
        before, last = last, now
    return out


def _gate(time: np.ndarray, rise: float) -> np.ndarray:
    """Rises linearly from 0 at the time 0 to 1 at `rise` seconds."""
    return np.clip(time / rise, 0, 1)


def _peak(signals: np.ndarray, level: float | np.ndarray) -> np.ndarray:
    """Each signal (a column) scaled to a peak magnitude of `level` dB."""
    return signals * 10 ** (np.asarray(level) / 20) / np.maximum(np.abs(signals).max(axis=0), 1e-9)
