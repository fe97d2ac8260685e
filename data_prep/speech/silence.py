"""Recordings in which nobody speaks, cut from long ones of background noise."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import soundfile

from data_prep.raw_files import files_in
from data_prep.speech.recordings import Item
from sigconv.errors import UsageError
from sigconv.signals.speech.recording import read_recording

# The part of each noise that a split is cut from, so that no split contains noise of another.
PARTS = {"train": (0.0, 0.8), "validation": (0.8, 0.9), "test": (0.9, 1.0)}
VOLUMES = (0.05, 1.0)


def cut_silence(noise: Path, counts: Mapping[str, int], label: str, rate: int, scratch: Path) -> list[Item]:
    """Pieces of 1 s from random places of the wav files in the folder `noise`, at random volume, as files in `scratch`.

    This is how the example program of Speech Commands makes its class "silence", with two differences: no split takes
    from the part of another, and no volume is so close to 0 that nothing is left.

    Args:
        counts: how many for each split.
        label: of the pieces.
        rate: of the files in `scratch`, in Hz.

    Raises:
        UsageError: there is no noise; or one of them cannot be read, or is too short.
    """
    noises = {path.name: read_recording(path, rate).samples[0] for path in files_in([noise], ".wav")}
    if not noises:
        raise UsageError(
            f"{noise} has no recordings to cut {label!r} from: copy that folder from the corpus, or leave {label} out "
            "of the words."
        )
    rng = np.random.default_rng(0)
    pieces = []
    for split, count in counts.items():
        for number in range(count):
            name = rng.choice(list(noises))
            first, end = (int(edge * len(noises[name])) for edge in PARTS[split])
            if end - first < rate:
                raise UsageError(f"{noise / name} is too short to cut {label!r} from: it should be 10 s at least.")
            start, volume = int(rng.integers(first, end - rate + 1)), rng.uniform(*VOLUMES)
            path = scratch / f"{split}_{number}.wav"
            soundfile.write(path, np.rint(noises[name][start : start + rate] * volume).astype(np.int16), rate)
            source = f"{noise.name}/{name} from sample {start}, volume {volume:.4f}"
            pieces.append(Item(path, source, label, split, None))
    return pieces
