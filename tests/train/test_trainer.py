"""The trainer of a run's config: which epoch is kept, what is averaged, and below which loss something was learned."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from sentences import config, write_words
from torch import nn

from sigconv.train.classification import Classification
from sigconv.train.run import Run
from sigconv.train.trainer import _averaging, _guessing, build_trainer
from sigconv.train.watch import guessing_loss


def test_the_best_epoch_is_the_most_accurate(tmp_path: Path) -> None:
    corpus = write_words(tmp_path / "films")
    (tmp_path / "run").mkdir()
    run = Run.create(tmp_path / "run", config("checkpoint=best", "trainer.max_epochs=1"), [])
    task = Classification(nn.Identity(), features=nn.Identity(), classes=4)
    trainer = build_trainer(run.config, run, task, corpus)
    (best,) = [callback for callback in trainer.checkpoint_callbacks if getattr(callback, "monitor", None)]
    assert (best.monitor, best.mode) == ("validation/accuracy", "max")  # type: ignore[missing-attribute]


def test_the_first_steps_count_more_in_the_average() -> None:
    average = _averaging(0.9)._kwargs["avg_fn"]
    shares = [average(torch.zeros(()), torch.ones(()), torch.tensor(steps)).item() for steps in (0, 8, 1000)]
    assert shares == pytest.approx([0.9, 0.5, 0.1])


def test_guessing_knows_how_targets_are_smoothed() -> None:
    labels = torch.tensor([0, 0, 0, 1])
    corpus: Any = SimpleNamespace(labels=("a", "b"), split={"train": SimpleNamespace(labels=labels)}.__getitem__)
    smoothed: Any = SimpleNamespace(label_smoothing=0.2)
    assert _guessing(smoothed, corpus) == guessing_loss(labels, 2, 0.2) > guessing_loss(labels, 2)
