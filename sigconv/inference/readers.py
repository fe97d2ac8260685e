"""Reads the user's files into the signals that a network takes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sigconv.errors import UsageError
from sigconv.signals.length import Piece, fit_length, slide
from sigconv.words import by_x

STEADY = 3  # windows of the network: a sound as even as noise that is no longer may be one that is held, like a vowel
NOTHING = "nothing stands out from the background"
DIGIT, CHARACTER = (1, 28, 28), (1, 48, 48)  # shapes of pictures, each with a reader
About = Mapping[str, Any]  # what a run knows about its corpus: name, kind, labels or tokens, rate, dtype, shape, reader


@dataclass(frozen=True)
class Reading:
    """A file as the network takes it.

    Attributes:
        signals: (N, *shape), the raw signal, or the pieces of a long recording, of which there may be none.
        times: start and end of each of them in the file, in seconds; None if there is one answer for the whole file.
        notes: what was done to the file.
        poses: (T, 4), where the mouth is in a video, at the network's rate; None for any other file.
    """

    signals: Tensor
    times: list[tuple[float, float]] | None = None
    notes: list[str] = field(default_factory=list)
    poses: np.ndarray | None = None


def check_readable(run: object, about: About) -> None:
    """Raises UsageError if signals like those that the run was trained on cannot be read from files."""
    if about["kind"] not in READERS:
        raise UsageError(f"{run} was trained on {about['kind']}; there is no reader of such files yet.")
    if about["kind"] == "image" and tuple(about["shape"]) not in (DIGIT, CHARACTER):
        shape = by_x(about["shape"])
        raise UsageError(
            f"{run} was trained on pictures of {shape}; files are read as digits of 1x28x28 or characters of 1x48x48."
        )
    if about["kind"] == "video" and not about.get("reader"):
        raise UsageError(
            f"{run} was trained on {about['name']}, which was not read from video files: there is no way from a video "
            "to such signals. Train on a corpus of videos, such as with data=video_folder."
        )


def _fit(signal: Tensor, about: About) -> Tensor:
    """A signal (channels, T, ...) as the network takes it: (*shape)."""
    return fit_length(signal, about["shape"][1], about["rate"])


def _whole(signal: Tensor, about: About) -> Tensor:
    """(1, *shape): one signal (channels, T, ...) as in training; in full for a network that reads sentences."""
    return signal[None] if "tokens" in about else _fit(signal, about)[None]


def fit_pieces(
    signal: Tensor, pieces: Sequence[Piece], about: About, begins: int = 0
) -> tuple[Tensor, list[tuple[float, float]]]:
    """Signals (N, *shape) and times, in seconds, of the pieces of a long signal that begins at this place."""
    times = [((begins + piece.first) / about["rate"], (begins + piece.end) / about["rate"]) for piece in pieces]
    return torch.stack([_fit(signal[:, slice(*piece.window)], about) for piece in pieces]), times


def _read_image(file: str, about: About) -> Reading:
    if tuple(about["shape"]) == CHARACTER:
        from sigconv.signals.image.characters import read_character as read
    else:
        from sigconv.signals.image.digits import read_digit as read

    signal, inverted = read(file)
    return Reading(signal[None], notes=["inverted: dark ink on light paper"] if inverted else [])


def _read_sound(file: str, about: About) -> Reading:
    from sigconv.signals.speech.recording import read_recording
    from sigconv.signals.speech.stretches import cut_pieces, find_stretches

    rate, length = about["rate"], about["shape"][1]
    recording = read_recording(file, round(rate))
    sound, notes = torch.from_numpy(recording.samples), recording.notes
    if "tokens" in about or sound.shape[1] <= length:
        if not find_stretches(recording.samples, rate):
            notes.append(f"{NOTHING}: the answer may be by chance")
        return Reading(_whole(sound, about), notes=notes)
    pieces = cut_pieces(recording.samples, rate, length)
    if pieces:
        return Reading(*fit_pieces(sound, pieces, about), notes)
    if sound.shape[1] > STEADY * length:
        return Reading(sound.new_empty(0, *about["shape"]), [], [*notes, f"{NOTHING}: no word is found"])
    notes.append(f"{NOTHING}: all of it is taken, and the answers may be by chance")
    return Reading(*fit_pieces(sound, slide(0, sound.shape[1], length), about), notes)


def _read_video(file: str, about: About) -> Reading:
    from sigconv.signals.lips.mouths import MouthReader

    length = about["shape"][1]
    mouths = MouthReader(**about["reader"])(file, None if "tokens" in about else length)
    film = torch.from_numpy(mouths.frames)
    frames = film.shape[1]
    notes = [*mouths.notes, f"face found in {round(mouths.quality.found * frames)} of {frames} frames"]
    # As in the test: of clips of words that are longer than the network sees, the part in which most happens is taken.
    if mouths.stretches is None or frames <= max(length, about.get("longest", 0)):
        return Reading(_whole(film, about), notes=notes, poses=mouths.poses)
    if lost := frames - sum(end - first for first, end in mouths.stretches):
        notes.append(f"{lost / about['rate']:.1f} of {frames / about['rate']:.1f} s left out, for want of a face")
    pieces = [piece for first, end in mouths.stretches for piece in slide(first, end, length)]
    return Reading(*fit_pieces(film, pieces, about), notes, mouths.poses)


# For each kind of corpus, what reads a file into signals for its networks.
READERS: dict[str, Callable[[str, About], Reading]] = {
    "image": _read_image,
    "audio": _read_sound,
    "video": _read_video,
}
