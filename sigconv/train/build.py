"""From a run's config to the objects that train."""

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
from sigconv.errors import UsageError
from sigconv.train.callbacks import Record, SeedSteps
from sigconv.train.console import ProgressBar
from sigconv.train.data import CorpusData
from sigconv.train.instantiate import instantiate
from sigconv.train.network import build_network
from sigconv.train.run import Run
from sigconv.train.task import Classification
from sigconv.train.watch import Watch, guessing_loss


@runtime_checkable
class FitsToCorpus(Protocol):
    """A part of the features that depends on the training split."""

    def fit(self, signals: Iterable[Tensor]) -> None: ...


def signal_length(config: DictConfig, corpus: Corpus) -> int | None:
    """In samples or frames, where the config gives its `seconds`; None where all signals have one shape.

    Raises UsageError where they have not, or for a length that is none.
    """
    seconds = config.data.get("seconds")
    if seconds is None:
        if "seconds" in config.data:
            _check_lengths(corpus)
        return None
    if not seconds > 0:
        raise UsageError(f"data.seconds={seconds}: the length that the network hears must be more than 0.")
    return max(1, round(seconds * corpus.info.rate))


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
    return CorpusData(corpus, seed=config.seed, length=signal_length(config, corpus), **config.loader)


def build_classification(config: DictConfig, data: CorpusData) -> Classification:
    """Features, fitted to the training split, augmentation, network and optimiser; weights drawn from `config.seed`.

    Raises UsageError where the network does not take the signals or has not as many outputs as the corpus classes.
    """
    classes = len(data.corpus.labels)
    try:
        seed_everything(config.seed, verbose=False)
    except ValueError as error:
        raise UsageError(f"seed={config.seed}: {error}") from None
    features, model = build_network(config, data.example, classes)
    fit_features(features, data)
    return Classification(
        model,
        features=features,
        classes=classes,
        augment={stage: instantiate(part) for stage, part in config.augment.items() if part is not None},
        optimizer=instantiate(config.optim.optimizer),
        schedule=instantiate(config.optim.schedule),
        label_smoothing=config.label_smoothing,
    )


@torch.no_grad()
def fit_features(features: nn.Module, data: CorpusData) -> None:
    """Lets those parts of the features that learn from the training split, such as its mean, do so in their order."""
    parts = list(features.children()) if isinstance(features, nn.Sequential) else [features]
    for i, part in enumerate(parts):
        if isinstance(part, FitsToCorpus):
            before = nn.Sequential(*parts[:i])
            part.fit(before(signals) for signals in data.training_signals())


def build_trainer(config: DictConfig, run: Run, corpus: Corpus) -> Trainer:
    """A trainer whose checkpoints go to the run's folder.

    Raises UsageError for a device that is not there, or settings that Lightning refuses.
    """
    if config.trainer.accelerator == "gpu" and not torch.cuda.is_available():
        raise UsageError("There is no GPU that torch can use here: train with trainer=cpu.")
    distributed = "strategy" in config.trainer
    if distributed and HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN:
        raise UsageError("trainer=ddp and -m do not go together: start the runs one by one.")
    labels = corpus.split("train").labels
    guessing = guessing_loss(labels, len(corpus.labels), config.label_smoothing)
    callbacks: list[Callback] = [SeedSteps(config.seed), Watch(guessing, config.watch), ProgressBar(), Record()]
    if config.average is not None:
        if not 0 < config.average < 1:
            raise UsageError(f"average={config.average}: it is a decay, more than 0 and less than 1, such as 0.999.")
        callbacks.append(EMAWeightAveraging(decay=config.average))
    callbacks += _checkpoints(run, config.checkpoint)
    try:
        return Trainer(
            **config.trainer,
            precision=config.precision,
            callbacks=callbacks,
            logger=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,  # CorpusData shares the examples out by itself, without repeating any
        )
    except (MisconfigurationException, ValueError, TypeError) as error:
        raise UsageError(f"Lightning refuses the settings under trainer: {error}") from error


def _checkpoints(run: Run, keep: str) -> list[ModelCheckpoint]:
    """The state after the last epoch, to resume from; before it, since it is remembered there, the best, if wanted."""
    if keep not in ("last", "best"):
        raise UsageError(f"checkpoint={keep}: it is last or best.")
    every_epoch = partial(
        ModelCheckpoint, dirpath=run.checkpoints, save_on_train_epoch_end=True, enable_version_counter=False
    )
    best = every_epoch(filename="best", monitor="validation/accuracy", mode="max")
    last = every_epoch(filename="last")
    return [best, last] if keep == "best" else [last]
