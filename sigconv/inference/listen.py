"""A trained network listens to a microphone."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from sigconv.errors import UsageError
from sigconv.inference.predict import Segment, load, probabilities, segments
from sigconv.inference.readers import About, fit_pieces
from sigconv.signals.speech.recording import find_offset
from sigconv.signals.speech.stretches import PAUSE, cut_pieces

BLOCK = 0.25  # seconds of sound between two evaluations
MEMORY = 4.0  # seconds of sound that are kept
LEVEL = 0.003  # of full scale, -50 dB: sound that stays below it is not speech


def listen(run: str | Path) -> Iterator[Segment]:
    """Each word from the microphone, as soon as a pause follows it, until interrupted.

    Raises UsageError if the run was not trained on sound, or reads sentences, or if there is no microphone.
    """
    network, about = load(run)
    if about["kind"] != "audio":
        raise UsageError(f"{run} was trained on {about['kind']}, not on sound.")
    if "tokens" in about:
        raise UsageError(f"{run} reads sentences as a whole, and a stream has no end: use sigconv predict RUN FILE.")
    return hear(network, about, microphone(about["rate"]))


@torch.inference_mode()
def hear(network: nn.Module, about: About, blocks: Iterable[np.ndarray]) -> Iterator[Segment]:
    """The words in a stream of sound.

    Args:
        blocks: consecutive blocks of int16 (T,), at the network's rate; shorter than `MEMORY`.
    """
    rate, length = about["rate"], about["shape"][1]
    heard, begins, said = np.empty(0, np.int16), 0, 0  # the sound kept, its place, and the end of the last word
    for block in blocks:
        heard = np.concatenate([heard, block])
        forget = max(0, len(heard) - round(MEMORY * rate))
        heard, begins = heard[forget:], begins + forget
        moved = heard.astype(np.int32) - round(find_offset(heard))  # may not fit into 16 bits
        if abs(moved).max(initial=0) < LEVEL * 32768:
            continue
        centred = moved.clip(-32768, 32767).astype(np.int16)
        pieces = [
            piece
            for piece in cut_pieces(centred[None], rate, length)
            # Compared by the middle: the edges of a word move a little with the sound around it that is kept.
            if begins + (piece.first + piece.end) / 2 >= said and piece.end < len(heard) - PAUSE * rate
        ]
        if pieces:
            said = begins + pieces[-1].end
            signals, times = fit_pieces(torch.from_numpy(centred)[None], pieces, about, begins)
            yield from segments(probabilities(network, signals), times, about["labels"])


def microphone(rate: float) -> Iterator[np.ndarray]:
    """Endless blocks of int16 (T,) from the default microphone, at `rate`."""
    try:
        import sounddevice
    except ModuleNotFoundError:
        raise UsageError("Listening needs the package sounddevice: pip install 'sigconv[microphone]'") from None
    except OSError as error:  # the package is installed, but not the library that it wraps
        raise UsageError(f"{error}: install PortAudio, such as by: apt install libportaudio2") from None
    try:
        sounddevice.check_input_settings(channels=1, dtype="int16", samplerate=rate)
        stream = sounddevice.InputStream(rate, round(BLOCK * rate), channels=1, dtype="int16")
    except (sounddevice.PortAudioError, ValueError) as error:
        raise UsageError(
            f"There is no microphone that gives {rate:g} samples a second here ({error}). "
            "For recordings there is: sigconv predict RUN FILE"
        ) from None
    return _blocks(stream, sounddevice.PortAudioError)


def _blocks(stream: Any, failure: type[Exception]) -> Iterator[np.ndarray]:
    """Reads a sounddevice.InputStream."""
    try:
        with stream:
            while True:
                block, _ = stream.read(stream.blocksize)
                yield block[:, 0]
    except failure as error:
        raise UsageError(f"The microphone stopped: {error}") from None
