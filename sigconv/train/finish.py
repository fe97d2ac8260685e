"""What is done with a trained network: which weights are kept, what is written, what is said."""

from collections import defaultdict
from collections.abc import Sequence
from statistics import mean
from typing import Any

import torch
from lightning import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor
from torchmetrics.functional.classification import multiclass_confusion_matrix

from sigconv.corpus import Corpus, Split
from sigconv.train.callbacks import Record
from sigconv.train.console import say
from sigconv.train.cross import cross_test, in_words
from sigconv.train.data import CorpusData
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
def finish(run: Run, task: Classification, trainer: Trainer, corpus: Corpus, other: Corpus | None = None) -> None:
    """Writes weights, environment, report and, last, the metrics, which mark the run as finished; says the result.

    Args:
        other: a corpus with the same words, on which the network is tested too.
    """
    probabilities = task.test_logits.softmax(1)
    test = corpus.split("test")
    metrics = _metrics(task, trainer, probabilities, test)
    weights = {name: value for name, value in task.state_dict().items() if name.startswith(("features.", "model."))}
    data = trainer.datamodule  # type: ignore[attr-defined]  # set by fit and test
    assert isinstance(data, CorpusData)
    about = _about(corpus, data.example)
    run.write_model(weights, about)
    if other is not None:
        device = trainer.strategy.root_device  # Lightning has put the network back on the CPU
        metrics["cross_corpus"] = cross_test(task.eval().to(device), about, other)
        task.cpu()
    surroundings = environment(trainer.strategy.root_device) | {"split_hash": corpus.info.split_hash}
    run.write_json("environment.json", surroundings)
    write_report(run, task, corpus, metrics, surroundings, probabilities, data.example)
    run.write_json(METRICS, metrics)
    result = metrics["test"]
    say(f"test       {result['accuracy']:.2%} right ({result['wrong']:,} of {len(probabilities):,} wrong)")
    if other is not None:
        say(f"           {in_words(metrics['cross_corpus'])}")
    say(f"training   {metrics['train_seconds']:.1f} s")
    say(f"report     {run.folder / 'report.html'}")


def _about(corpus: Corpus, example: Tensor) -> dict[str, Any]:
    """What has to be known of the corpus to use the network: how to read a file for it, and what its answers mean."""
    facts = {name: getattr(corpus.info, name) for name in ("name", "kind", "labels", "rate", "dtype")}
    return facts | {"shape": list(example.shape)}


def _metrics(task: Classification, trainer: Trainer, probabilities: torch.Tensor, test: Split) -> dict[str, Any]:
    labels = test.labels[: len(probabilities)]
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
        "speakers": _by_speaker(test.speakers, (probabilities.argmax(1) == labels).tolist()),
    }


def _by_speaker(speakers: Sequence[str | None], right: Sequence[bool]) -> dict[str, dict[str, float]]:
    """The accuracy for each speaker who is known, and the number of examples."""
    answers: dict[str, list[bool]] = defaultdict(list)
    for speaker, answer in zip(speakers, right, strict=False):  # a limited test covers the beginning of the split
        if speaker is not None:
            answers[speaker].append(answer)
    return {name: {"accuracy": mean(of), "tested": len(of)} for name, of in sorted(answers.items())}
