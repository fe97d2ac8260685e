"""Recordings of any format, rate, channels and length, as one channel of int16 at the rate that is asked for."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr

from sigconv.signals.speech.soundfiles import BadRecording, decode

__all__ = ["BadRecording", "Recording", "find_faults", "find_offset", "read_recording"]

SILENCE = 1e-4  # of full scale, -80 dB: three steps of 16 bits
FULL_SCALE = 0.98  # the highest level of mu-law, which is below that of all other formats, is 0.9803
OFFSET = 0.05  # of the level: such a step, where zeros are put around a recording, is 26 dB under it
QUIET = 0.01  # of full scale, -40 dB: under it 16 bits hold less than 60 dB
TURNED_UP = 0.5  # the peak of what was quiet
CLIPPED_RUN = 3  # samples
CLIPPED_SHARE = 0.01  # of all samples


@dataclass(frozen=True)
class Recording:
    """What `read_recording` gives.

    Args:
        samples: int16 (1, T), at the rate that was asked for.
        notes: what was done to the sound of the file, and what is wrong with it; for people.
        seconds: its length.
        faults: those of `find_faults` that can be listened through: "clipped", or none.
    """

    samples: np.ndarray
    notes: list[str]
    seconds: float
    faults: tuple[str, ...] = ()


def read_recording(path: str | Path, rate: int, start: float | None = None, end: float | None = None) -> Recording:
    """Reads a file of any format that libsndfile knows: wav, flac, ogg, opus, mp3, aiff and more.

    A file of one channel, 16 bits and the right rate comes as it is, bit for bit. Several channels become their
    mean; but where they cancel each other, for which a microphone wired the wrong way round is enough, the loudest
    is taken alone. An offset, as cheap sound cards have it, is removed where it is more than a twentieth of the level.
    Other rates are resampled without aliases (soxr, high quality). What then goes beyond full scale is turned down as a
    whole, never cut off; what is finer than 16 bits and very quiet is turned up.

    Args:
        rate: of the result, in Hz.
        start: seconds into the file at which the piece that is wanted begins; without it, its beginning.
        end: seconds into the file at which that piece ends; without it, its end.

    Raises:
        BadRecording: the file is missing, unreadable, not audio, empty, truncated, silent, or holds NaN or infinite
            values.
    """
    path = Path(path)
    channels, file_rate = decode(path, start, end)
    if not np.isfinite(channels).all():
        raise BadRecording(path, "not finite", "it holds NaN or infinite values; export it anew")
    faults = find_faults(channels)
    if "silent" in faults:
        raise BadRecording(path, "silent", f"nothing in it is above {20 * math.log10(SILENCE):.0f} dB of full scale")
    notes = ["clipped: it was recorded too loud"] if "clipped" in faults else []
    sound = _without_offset(_mix_down(channels, notes), notes)
    if file_rate != rate:
        sound = soxr.resample(sound, file_rate, rate, quality="HQ")
        notes.append(f"resampled from {file_rate} Hz")
    if not sound.size:
        raise BadRecording(path, "empty", f"its {channels.shape[1]} samples at {file_rate} Hz are none at {rate} Hz")
    if np.abs(sound).max() < SILENCE:
        raise BadRecording(path, "silent", f"its sound is all above {rate / 2:g} Hz, where {rate} Hz hold none")
    samples = _quantise(sound, notes)
    return Recording(samples[None], notes, len(samples) / rate, tuple(faults))


def find_faults(channels: np.ndarray) -> list[str]:
    """What is wrong with the samples of a recording: ["silent"], ["clipped"], or nothing.

    Silent: nothing is further than -80 dB of full scale from the mean of its channel (a constant is silent too).

    Clipped: in some channel, at least 1 % of all samples are at full scale (at 98 % of it or beyond) in runs of three
    or more. A healthy recording that was brought to full scale by its highest peak has a few such samples; one that
    was recorded too loud has them in every period.

    Args:
        channels: (..., T), T at least 1: int16, or floating with full scale at 1.
    """
    if channels.dtype == np.int16:
        channels = channels.astype(np.float32) / 32768
    each = channels.reshape(-1, channels.shape[-1])  # one by one below: a long recording fills the memory
    if max(max(channel.max() - channel.mean(), channel.mean() - channel.min()) for channel in each) < SILENCE:
        return ["silent"]
    limit = CLIPPED_SHARE * channels.shape[-1]
    clipped = any(_in_runs(np.abs(channel) >= FULL_SCALE) >= limit for channel in each)
    return ["clipped"] if clipped else []


def _in_runs(chosen: np.ndarray) -> int:
    """How many of the chosen samples, bool (T,), stand in runs of CLIPPED_RUN or more."""
    edges = np.flatnonzero(np.diff(chosen, prepend=False, append=False))
    lengths = edges[1::2] - edges[::2]
    return int(lengths[lengths >= CLIPPED_RUN].sum())


def _mix_down(channels: np.ndarray, notes: list[str]) -> np.ndarray:
    """(C, T) to (T,)."""
    count = len(channels)
    if count == 1:
        return channels[0]
    mix, energies = channels.mean(axis=0), np.array([channel.var() for channel in channels])
    # Channels that have nothing to do with each other make a mix of the sum of their energies / count^2.
    if mix.var() < 0.1 * energies.sum() / count**2:
        loudest = int(energies.argmax())
        notes.append(f"{count} channels cancel each other: number {loudest + 1}, the loudest, taken alone")
        return channels[loudest]
    notes.append(f"{count} channels mixed down")
    return mix


def find_offset(sound: np.ndarray) -> float:
    """The mean of (T,), where it is more than a twentieth of the level; zero elsewhere."""
    mean = float(sound.mean(dtype=np.float64))
    return mean if abs(mean) > OFFSET * float(sound.std(dtype=np.float64)) else 0.0


def _without_offset(sound: np.ndarray, notes: list[str]) -> np.ndarray:
    offset = round(32768 * find_offset(sound)) / 32768  # so that 16 bits stay whole numbers
    if not offset:
        return sound
    notes.append(f"an offset of {offset:.2%} of full scale removed")
    return sound - np.float32(offset)


def _quantise(sound: np.ndarray, notes: list[str]) -> np.ndarray:
    """float (T,) to int16; the inverse of what makes floats of 16 bits when they are read."""
    peak = float(np.abs(sound).max())
    if peak > 1:
        sound = sound / peak
        notes.append(f"turned down by {20 * math.log10(peak):.1f} dB, to stay within full scale")
    elif peak < QUIET and (sound * 32768 % 1).any():  # what has come in 16 bits gains nothing
        sound = sound * (TURNED_UP / peak)
        notes.append(f"turned up by {20 * math.log10(TURNED_UP / peak):.1f} dB, as 16 bits would hold little of it")
    return np.clip(np.rint(sound * 32768), -32768, 32767).astype(np.int16)
