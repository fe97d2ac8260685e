"""What several runs amount to."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from sigconv.train.sweep import summarise


def run(accuracy: float, *overrides: str) -> SimpleNamespace:
    metrics = {"test": {"accuracy": accuracy}, "train_seconds": 1.0}
    return SimpleNamespace(folder=Path("runs"), overrides=list(overrides), metrics=metrics)


def test_seeds_and_left_out_speakers_are_averaged_and_nothing_else() -> None:
    runs = [
        run(0.9, "data.split=speaker\\:theo", "seed=0", "model=a"),  # as Hydra's sweeper writes it
        run(0.7, "data.split=speaker:lucas", "seed=1", "model=a"),
        run(0.5, "data.split=official", "model=a"),
        run(0.3, "data.split=fold:1", "model=b"),
        run(0.1, "data.split=fold:2", "model=b"),
    ]
    means = {tuple(group["overrides"]): group["accuracy"]["mean"] for group in summarise(runs)["means"]}
    assert means == {("model=a",): pytest.approx(0.8), ("model=b",): pytest.approx(0.2)}
