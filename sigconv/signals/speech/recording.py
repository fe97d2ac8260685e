"""Recordings of any format, rate, number of channels and length, as mono int16 at the requested rate."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr

from sigconv.signals.speech.soundfiles import BadRecording, decode

__all__ = ["BadRecording", "Recording", "find_faults", "find_offset", "read_recording"]

SILENCE = 1e-4  # of full scale, -80 dB: three steps of 16 bits
FULL_SCALE = 0.98  # the highest level of mu-law, which is below that of all other formats, is 0.9803
OFFSET = 0.05  # of the level: the step that this makes where a recording is padded with zeros is 26 dB below the level
QUIET = 0.01  # of full scale, -40 dB: below it, 16 bits hold less than 60 dB
TURNED_UP = 0.5  # the peak to which a quiet recording is amplified
CLIPPED_RUN = 3  # samples
CLIPPED_SHARE = 0.01  # of all samples
BLOCK = 1 << 16  # samples that are made float64 at once: those of an hour would fill the memory


@dataclass(frozen=True)
class Recording:
    """What `read_recording` returns.

    Args:
        samples: int16 (1, T), at the requested rate.
        notes: what was done to the sound of the file, and what is wrong with it; for people.
        faults: those of `find_faults` that leave a recording usable: "clipped", or none.
    """

    samples: np.ndarray
    notes: list[str]
    faults: tuple[str, ...] = ()


def read_recording(path: str | Path, rate: int) -> Recording:
    """Reads a file of any format that libsndfile knows: wav, flac, ogg, opus, mp3, aiff and more.

    A mono file of 16 bits and the right rate is returned bit for bit, apart from an offset. Several channels are
    averaged; but if they cancel each other, as when one microphone is wired with reversed polarity, only the loudest is
    used. A DC offset, as from cheap sound cards, is removed if it is more than a twentieth of the level. Other rates
    are resampled without aliasing (soxr, high quality). What then exceeds full scale is turned down as a whole, never
    clipped; what is finer than 16 bits and very quiet is turned up.

    Args:
        rate: of the result, in Hz.

    Raises:
        BadRecording: the file is missing, unreadable, not audio, empty, truncated, silent, or holds NaN or infinite
            values.
    """
    path = Path(path)
    channels, file_rate = decode(path)
    length = channels.shape[1]
    if not np.isfinite(_peak(channels)):
        raise BadRecording(path, "not finite", "it holds NaN or infinite values; export it again")
    faults = find_faults(channels)
    if "silent" in faults:
        raise BadRecording(path, "silent", f"nothing in it is above {20 * math.log10(SILENCE):.0f} dB of full scale")
    notes = ["clipped: it was recorded too loud"] if "clipped" in faults else []
    sound = _mix_down(channels, notes)
    del channels  # an hour in stereo is more than a gigabyte
    sound = _without_offset(sound, notes)
    if file_rate != rate:
        sound = soxr.resample(sound, file_rate, rate, quality="HQ")
        notes.append(f"resampled from {file_rate} Hz")
    if not sound.size:
        raise BadRecording(path, "empty", f"its {length} samples at {file_rate} Hz are none at {rate} Hz")
    if _peak(sound) < SILENCE:
        raise BadRecording(path, "silent", f"its sound is all above {rate / 2:g} Hz, where {rate} Hz hold none")
    samples = _quantise(sound, notes)
    return Recording(samples[None], notes, tuple(faults))


def find_faults(channels: np.ndarray) -> list[str]:
    """What is wrong with the samples of a recording: ["silent"], ["clipped"], or nothing.

    Silent: no sample is as far as -80 dB of full scale from the mean of its channel (a constant is silent too).

    Clipped: in some channel, at least 1 % of all samples are at full scale (at 98 % of it or beyond) in runs of three
    or more. A healthy recording whose peak was normalised to full scale has a few such samples; one that was recorded
    too loud has them in every period. Where floating point goes beyond full scale, its peak stands for it.

    Args:
        channels: (..., T), T at least 1: int16, or floating with full scale at 1.
    """
    if channels.dtype == np.int16:
        channels = channels.astype(np.float32) / 32768
    each = channels.reshape(-1, channels.shape[-1])  # one by one below, since a long recording fills the memory
    if max(max(channel.max() - channel.mean(), channel.mean() - channel.min()) for channel in each) < SILENCE:
        return ["silent"]
    limit, full = CLIPPED_SHARE * channels.shape[-1], FULL_SCALE * max(1.0, _peak(each))
    clipped = any(_in_runs((channel >= full) | (channel <= -full)) >= limit for channel in each)
    return ["clipped"] if clipped else []


def _peak(sound: np.ndarray) -> float:
    """The greatest magnitude of any floating samples, NaN if one is; without a copy, as by np.abs."""
    return float(np.maximum(sound.max(), -sound.min()))


def _variance(sound: np.ndarray) -> float:
    """Of (T,), int16 or floating; in float64."""
    mean = sound.mean(dtype=np.float64)
    blocks = (sound[at : at + BLOCK] - mean for at in range(0, len(sound), BLOCK))
    return sum(float(block @ block) for block in blocks) / len(sound)


def _in_runs(chosen: np.ndarray) -> int:
    """How many of the chosen samples, bool (T,), are in runs of CLIPPED_RUN or more."""
    edges = np.flatnonzero(np.diff(chosen, prepend=False, append=False))
    lengths = edges[1::2] - edges[::2]
    return int(lengths[lengths >= CLIPPED_RUN].sum())


def _mix_down(channels: np.ndarray, notes: list[str]) -> np.ndarray:
    """(C, T) to (T,)."""
    count = len(channels)
    if count == 1:
        return channels[0]
    mix, energies = channels.mean(axis=0), np.array([_variance(channel) for channel in channels])
    # Uncorrelated channels give a mix whose energy is the sum of theirs / count^2.
    if _variance(mix) < 0.1 * energies.sum() / count**2:
        loudest = int(energies.argmax())
        notes.append(f"{count} channels cancel each other: number {loudest + 1}, the loudest, taken alone")
        return channels[loudest]
    notes.append(f"{count} channels mixed down")
    return mix


def find_offset(sound: np.ndarray) -> float:
    """The mean of (T,) if it is more than a twentieth of the level, else zero."""
    mean = float(sound.mean(dtype=np.float64))
    return mean if abs(mean) > OFFSET * math.sqrt(_variance(sound)) else 0.0


def _without_offset(sound: np.ndarray, notes: list[str]) -> np.ndarray:
    offset = round(32768 * find_offset(sound)) / 32768  # so that 16 bits stay whole numbers
    if not offset:
        return sound
    notes.append(f"an offset of {offset:.2%} of full scale removed")
    return sound - np.float32(offset)


def _quantise(sound: np.ndarray, notes: list[str]) -> np.ndarray:
    """Float (T,) to int16; the inverse of the conversion of 16 bits to float when a file is read."""
    peak = _peak(sound)
    if peak > 1:
        sound = sound / peak
        notes.append(f"turned down by {20 * math.log10(peak):.1f} dB, to stay within full scale")
    elif peak < QUIET and (sound * 32768 % 1).any():  # what was read from 16 bits gains nothing
        sound = sound * (TURNED_UP / peak)
        notes.append(f"turned up by {20 * math.log10(TURNED_UP / peak):.1f} dB, as 16 bits would hold little of it")
    steps = sound * 32768
    np.rint(steps, out=steps)
    return np.clip(steps, -32768, 32767, out=steps).astype(np.int16)
