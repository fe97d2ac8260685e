"""What is done with a trained network: which weights are kept, what is written, what is said."""

from typing import Any

import torch
from lightning import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.utilities import rank_zero_only
from torchmetrics.functional.classification import multiclass_confusion_matrix

from sigconv.corpus import Corpus
from sigconv.train.callbacks import Record
from sigconv.train.console import say
from sigconv.train.report import write_report
from sigconv.train.run import METRICS, Run, environment
from sigconv.train.task import Classification


def take_best(task: Classification, trainer: Trainer) -> None:
    """Puts the best weights by validation accuracy into `task`, where the trainer kept them; else leaves the last."""
    for callback in trainer.checkpoint_callbacks:
        if isinstance(callback, ModelCheckpoint) and callback.monitor:
            state = torch.load(callback.best_model_path, map_location="cpu", weights_only=True)
            task.load_state_dict(state["state_dict"])


@rank_zero_only
def finish(run: Run, task: Classification, trainer: Trainer, corpus: Corpus) -> None:
    """Writes weights, environment, report and, last, the metrics, which mark the run as finished; says the result."""
    probabilities = task.test_logits.softmax(1)
    labels = corpus.split("test").labels[: len(probabilities)]
    metrics = _metrics(task, trainer, probabilities, labels)
    weights = {name: value for name, value in task.state_dict().items() if name.startswith(("features.", "model."))}
    about = {"name": corpus.info.name, "kind": corpus.info.kind, "labels": corpus.labels, "rate": corpus.info.rate}
    run.write_model(weights, about)
    surroundings = environment(trainer.strategy.root_device) | {"split_hash": corpus.info.split_hash}
    run.write_json("environment.json", surroundings)
    write_report(run, task, corpus, metrics, surroundings, probabilities)
    run.write_json(METRICS, metrics)
    test = metrics["test"]
    say(f"test       {test['accuracy']:.2%} right ({test['wrong']:,} of {len(labels):,} wrong)")
    say(f"training   {metrics['train_seconds']:.1f} s")
    say(f"report     {run.folder / 'report.html'}")


def _metrics(
    task: Classification, trainer: Trainer, probabilities: torch.Tensor, labels: torch.Tensor
) -> dict[str, Any]:
    record = next(callback for callback in trainer.checkpoint_callbacks if isinstance(callback, Record))
    confusion = multiclass_confusion_matrix(probabilities, labels, probabilities.shape[1])
    right = int(confusion.trace())
    return {
        "test": {
            "loss": trainer.callback_metrics["test/loss"].item(),
            "accuracy": right / len(labels),
            "wrong": len(labels) - right,
        },
        "validation": {name: record.epochs[-1][f"validation/{name}"] for name in ("loss", "accuracy")},
        "train_seconds": record.seconds,
        "weights": task.weights,
        "epochs": record.epochs,
        "confusion": confusion.tolist(),
    }
