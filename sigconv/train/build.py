"""Builds the data, task and trainer that a run's config describes."""

import math
from collections.abc import Iterable
from functools import partial
from typing import Protocol, runtime_checkable

import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from lightning import Trainer, seed_everything
from lightning.pytorch.callbacks import Callback, EMAWeightAveraging, ModelCheckpoint
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from omegaconf import DictConfig
from torch import Tensor, nn

from sigconv.corpus import Corpus
from sigconv.ctc import Tokens
from sigconv.ctc.tokens import frames_needed
from sigconv.errors import UsageError
from sigconv.train.callbacks import Record, SeedSteps
from sigconv.train.classification import Classification
from sigconv.train.console import ProgressBar
from sigconv.train.data import CorpusData
from sigconv.train.instantiate import instantiate
from sigconv.train.measures import Measure
from sigconv.train.network import build_network, output_shape
from sigconv.train.run import Run
from sigconv.train.task import Task
from sigconv.train.transcription import Transcription
from sigconv.train.watch import Watch, guessing_loss


@runtime_checkable
class FitsToCorpus(Protocol):
    """A part of the features that depends on the training split."""

    def fit(self, signals: Iterable[Tensor]) -> None: ...


def signal_length(config: DictConfig, corpus: Corpus) -> int | None:
    """The network's input length in samples or frames, from `data.seconds`; None if all signals have the same shape.

    Raises UsageError if they differ and `seconds` is null, if it is not above 0, or if it would cut a sentence off.
    """
    seconds = config.data.get("seconds")
    if seconds is None:
        if "seconds" in config.data:
            _check_lengths(corpus)
        return None
    if not seconds > 0:
        raise UsageError(f"data.seconds={seconds}: the length that the network hears must be more than 0.")
    length = max(1, round(seconds * corpus.info.rate))
    if not corpus.labels:
        _check_sentences(corpus, length)
    return length


def _check_sentences(corpus: Corpus, length: int) -> None:
    assert corpus.info.rate is not None
    for name in corpus.splits:
        split = corpus.split(name)
        longest = int(split.shapes[:, 1].argmax())
        duration = int(split.shapes[longest, 1])
        if duration > length:
            raise UsageError(
                f"{split.sources[longest]} lasts {duration / corpus.info.rate:.4g} s, and a sentence is not cut off: "
                f"give data.seconds={duration / corpus.info.rate:.4g} or more."
            )


def _check_lengths(corpus: Corpus) -> None:
    assert corpus.info.rate is not None
    lengths = torch.cat([corpus.split(name).shapes[:, 1] for name in corpus.splits])
    shortest, longest = (n.item() / corpus.info.rate for n in lengths.aminmax())
    if shortest < longest:
        raise UsageError(
            f"The signals of {corpus.info.name} last from {shortest:.3g} to {longest:.3g} s: give the length that the "
            "network hears, such as data.seconds=1."
        )


def build_data(config: DictConfig, corpus: Corpus) -> CorpusData:
    """Batches of the corpus; the tokens for its texts are taken from the training split and the grammar."""
    tokens = None
    if not corpus.labels:
        words = [word for words in corpus.info.grammar.values() for word in words]
        tokens = Tokens.of([*corpus.split("train").texts, *words], config.get("tokens", "characters"))
    length = signal_length(config, corpus)
    return CorpusData(corpus, seed=config.seed, length=length, tokens=tokens, **config.loader)


def build_task(config: DictConfig, data: CorpusData) -> Task:
    """Features, fitted to the training split, augmentation, network and optimiser; `config.seed` seeds the weights.

    The corpus determines the task: classification if it has labels, transcription if it has texts. The default decoder
    of the latter is the grammar's if the corpus has a grammar, and beam search otherwise.

    Raises UsageError if the network does not accept the signals or lacks the outputs that the corpus needs.
    """
    sequence = data.tokens is not None
    outputs = len(data.tokens or data.corpus.labels)
    try:
        seed_everything(config.seed, verbose=False)
    except ValueError as error:
        raise UsageError(f"seed={config.seed}: {error}") from None
    features, model = build_network(config, data.example, outputs, sequence=sequence)
    fit_features(features, data)
    parts = {
        "features": features,
        "augment": {stage: instantiate(part) for stage, part in config.augment.items() if part is not None},
        "optimizer": instantiate(config.optim.optimizer),
        "schedule": instantiate(config.optim.schedule),
    }
    targets = {name: config[name] for name in ("label_smoothing", "mixup")}
    if data.tokens is None:
        if outputs < 2:
            raise UsageError(f"{data.corpus.folder}: all is of one class, {data.corpus.labels[0]!r}; add others.")
        return Classification(model, classes=outputs, **targets, **parts)
    for name, value in targets.items():
        if value:
            raise UsageError(f"{name}={value}: that is for corpora with classes; with sentences choose {name}=0.")
    _check_frames(data, frames=output_shape(nn.Sequential(features, model), data.example)[1])
    grammar = data.corpus.info.grammar
    decoder = config.get("decoder") or ("grammar" if grammar else "beam")
    return Transcription(model, tokens=data.tokens, grammar=grammar, decoder=decoder, **parts)


def _check_frames(data: CorpusData, frames: int) -> None:
    """Raises UsageError if a text needs more frames than the network outputs."""
    assert data.tokens is not None
    for name in data.corpus.splits:
        split = data.corpus.split(name)
        for source, text in zip(split.sources, data.labels(split).tolist(), strict=True):
            needed = frames_needed([number for number in text if number >= 0])
            if needed > frames:
                raise UsageError(
                    f"{source}: its text needs {needed} frames at least, and the network gives {frames}: choose one "
                    "that shortens time less, or tokens=words."
                )


@torch.no_grad()
def fit_features(features: nn.Module, data: CorpusData) -> None:
    """Fits, in order, those parts of the features that depend on the training split, such as on its mean."""
    parts = list(features.children()) if isinstance(features, nn.Sequential) else [features]
    for i, part in enumerate(parts):
        if isinstance(part, FitsToCorpus):  # type: ignore[unsafe-overlap]  (a Module may have any attribute)
            before = nn.Sequential(*parts[:i])
            part.fit(before(signals) for signals in data.all_signals(data.corpus.split("train")))


def build_trainer(config: DictConfig, run: Run, task: Task, corpus: Corpus) -> Trainer:
    """A trainer whose checkpoints go to the run's folder.

    Raises UsageError for a device that is not available, or for settings that are invalid or that Lightning rejects.
    """
    epochs, share = config.trainer.max_epochs, config.trainer.get("limit_train_batches", 1)
    if not isinstance(epochs, int) or epochs < 1:
        raise UsageError(f"trainer.max_epochs={epochs}: it is a whole number, 1 or more.")
    if not share > 0:
        raise UsageError(f"trainer.limit_train_batches={share}: nothing would be trained; it is above 0.")
    if config.trainer.accelerator == "gpu" and not torch.cuda.is_available():
        raise UsageError("There is no GPU that torch can use here: train with trainer=cpu.")
    distributed = "strategy" in config.trainer
    if distributed and HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN:
        raise UsageError("trainer=ddp and -m do not go together: start the runs one by one.")
    watch = Watch(_guessing(config, corpus), config.watch)
    callbacks: list[Callback] = [SeedSteps(config.seed), watch, ProgressBar(), Record()]
    if config.average is not None:
        if not 0 < config.average < 1:
            raise UsageError(f"average={config.average}: it is a decay, more than 0 and less than 1, such as 0.999.")
        callbacks.append(EMAWeightAveraging(decay=config.average))
    callbacks += _checkpoints(run, config.checkpoint, task.measure)
    try:
        return Trainer(
            **config.trainer,
            precision=config.precision,
            callbacks=callbacks,
            logger=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,  # CorpusData distributes the examples itself, without repeating any
        )
    except (MisconfigurationException, ValueError, TypeError) as error:
        raise refused(error) from error


def refused(error: Exception) -> UsageError:
    """What to tell the user of settings that Lightning rejects, which it may do before training or at its start."""
    return UsageError(f"Lightning refuses the settings under trainer: {error}")


def _guessing(config: DictConfig, corpus: Corpus) -> float:
    """The loss that training must get below, for `Watch`; infinite for sentences.

    Networks that learn to read output nothing but blanks for a long time before their first word: no early loss shows
    that one never will.
    """
    if not corpus.labels:
        return math.inf
    return guessing_loss(corpus.split("train").labels, len(corpus.labels), config.label_smoothing)


def _checkpoints(run: Run, keep: str, measure: Measure) -> list[ModelCheckpoint]:
    """Saves the last epoch, to resume from, and the best if wanted: that first, since the last stores its state."""
    if keep not in ("last", "best"):
        raise UsageError(f"checkpoint={keep}: it is last or best.")
    every_epoch = partial(
        ModelCheckpoint, dirpath=run.checkpoints, save_on_train_epoch_end=True, enable_version_counter=False
    )
    best = every_epoch(filename="best", monitor=f"validation/{measure.name}", mode=measure.better)
    last = every_epoch(filename="last")
    return [best, last] if keep == "best" else [last]
