"""Finishes a run: chooses the weights to keep, writes the results, and prints a summary."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from lightning import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor

from sigconv.corpus import Corpus
from sigconv.train.callbacks import Record
from sigconv.train.console import say
from sigconv.train.cross import cross_test, in_words
from sigconv.train.data import CorpusData
from sigconv.train.environment import environment
from sigconv.train.report import write_report
from sigconv.train.robustness import CHANGES, wanted_changes
from sigconv.train.run import METRICS, Run
from sigconv.train.task import Task


def take_kept(task: Task, trainer: Trainer) -> None:
    """Loads the weights to keep into `task`: a resumed task has neither the best epoch's nor averaged ones."""
    task.load_state_dict(_kept(trainer)["state_dict"])


def _kept(trainer: Trainer) -> dict[str, Any]:
    """The checkpoint to keep, mapped from disk: of the best epoch if the trainer keeps that, else of the last."""
    first = next(callback for callback in trainer.checkpoint_callbacks if isinstance(callback, ModelCheckpoint))
    path = Path(str(first.dirpath), f"{first.filename}.ckpt")
    return torch.load(path, map_location="cpu", weights_only=True, mmap=True)


@rank_zero_only
def finish(run: Run, task: Task, trainer: Trainer, corpus: Corpus, other: Corpus | None = None) -> None:
    """Writes weights, environment, report and, last, the metrics, which mark the run as finished; prints the result.

    Args:
        other: a corpus with the same words, on which the network is tested too.
    """
    task.eval()  # Lightning leaves it in training mode, and the report runs the network
    metrics = _metrics(task, trainer, corpus)
    weights = {name: value for name, value in task.state_dict().items() if name.startswith(("features.", "model."))}
    data = trainer.datamodule  # type: ignore[attr-defined]  # set by fit and test
    assert isinstance(data, CorpusData)
    about = _about(corpus, data.example) | task.about()
    run.write_model(weights, about | {"reader": _carried(run, about["reader"])})
    device = trainer.strategy.root_device
    task.to(device)  # Lightning has put the network back on the CPU
    for name, amounts in wanted_changes(run.config).items():
        metrics[name] = CHANGES[name].measure(task, data, amounts)
    if other is not None:
        metrics["cross_corpus"] = cross_test(task, about, other)
    task.cpu()
    surroundings = environment(device) | {"split_hash": corpus.info.split_hash}
    run.write_json("environment.json", surroundings)
    write_report(run, task, data, metrics, surroundings)
    run.write_json(METRICS, metrics)
    say(f"test       {task.in_words(metrics)}")
    for name, change in CHANGES.items():
        if name in metrics:
            say(f"{name:<10} {change.in_words(metrics[name])}")
    if other is not None:
        say(f"           {in_words(metrics['cross_corpus'])}")
    say(f"training   {metrics['train_seconds']:.1f} s")
    say(f"report     {run.folder / 'report.html'}")


def _about(corpus: Corpus, example: Tensor) -> dict[str, Any]:
    """What must be known about the corpus to use the network: how to read a file for it, and what its outputs mean."""
    names = ("name", "split_hash", "kind", "labels", "rate", "dtype", "reader")
    facts = {name: getattr(corpus.info, name) for name in names}
    if corpus.info.kind == "video":
        facts["longest"] = int(corpus.split("train").shapes[:, 1].max())  # frames; no longer a clip has one answer
    return facts | {"shape": list(example.shape)}


def _carried(run: Run, reader: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a reader, whose model file, if it has one, is copied into the run's folder."""
    model = reader.get("model")
    if model is None:
        return dict(reader)
    if not Path(model).is_file():
        say(f"{model}, by which the corpus was read, no longer exists: to use the run on files, put it in {run.folder}")
        return {**reader, "model": Path(model).name}
    return {**reader, "model": run.carry(Path(model))}


def _metrics(task: Task, trainer: Trainer, corpus: Corpus) -> dict[str, Any]:
    record = next(callback for callback in trainer.checkpoint_callbacks if isinstance(callback, Record))
    results = task.results(corpus)
    loss = trainer.callback_metrics["test/loss"].item()
    validated = record.epochs[_kept(trainer)["epoch"]]
    return {
        "test": {"loss": loss, **results.pop("test")},
        "validation": {name: validated[f"validation/{name}"] for name in ("loss", task.measure.name)},
        "train_seconds": record.seconds,
        "weights": task.weights,
        "epochs": record.epochs,
        **results,
    }
