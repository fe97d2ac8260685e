"""Builds the trainer that a run's config describes."""

import math
from functools import partial
from typing import Any

import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from lightning import Trainer
from lightning.pytorch.callbacks import Callback, ModelCheckpoint, WeightAveraging
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from omegaconf import DictConfig
from torch import Tensor

from sigconv.corpus import Corpus
from sigconv.errors import UsageError
from sigconv.train.callbacks import Record, SeedSteps
from sigconv.train.cluster import cluster_environment
from sigconv.train.console import ProgressBar
from sigconv.train.measures import Measure
from sigconv.train.options import check_options, fits
from sigconv.train.run import Run
from sigconv.train.task import Task
from sigconv.train.watch import Watch, guessing_loss

LEAVING_OUT = {
    "fast_dev_run",
    "max_steps",
    "max_time",
    "check_val_every_n_epoch",
    "limit_val_batches",
    "limit_test_batches",
    "overfit_batches",
}
"""Options of Lightning's trainer with which an epoch may have no validation, or an example no answer."""


class MovableCheckpoint(ModelCheckpoint):
    """Remembers the best epoch of a run whose folder has moved since: Lightning's forgets it with the old paths."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        old, new = str(state_dict["dirpath"]), str(self.dirpath)

        def moved(value: Any) -> Any:
            return new + value.removeprefix(old) if isinstance(value, str) and value.startswith(old) else value

        state = {name: moved(value) for name, value in state_dict.items()}
        state["best_k_models"] = {moved(path): score for path, score in state["best_k_models"].items()}
        super().load_state_dict(state)


def build_trainer(config: DictConfig, run: Run, task: Task, corpus: Corpus) -> Trainer:
    """A trainer whose checkpoints go to the run's folder.

    Raises UsageError for a device that is not available, or for settings or a job of SLURM that are invalid or that
    Lightning rejects.
    """
    _check(config)
    watch = Watch(_guessing(config, corpus), config.watch)
    callbacks: list[Callback] = [SeedSteps(config.seed), watch, ProgressBar(), Record()]
    if config.average is not None:
        callbacks.append(_averaging(config.average))
    callbacks += _checkpoints(run, config.checkpoint, task.measure)
    cluster = cluster_environment(config)
    try:
        return Trainer(
            **config.trainer,
            precision=config.precision,
            callbacks=callbacks,
            plugins=cluster,
            default_root_dir=run.folder,  # where Lightning looks in a SLURM job for checkpoints to begin with
            logger=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,  # CorpusData distributes the examples itself, without repeating any
        )
    except (MisconfigurationException, ModuleNotFoundError, ValueError, TypeError) as error:
        raise refused(error) from error


def _averaging(decay: float) -> WeightAveraging:
    """An exponential moving average of the weights. Buffers, such as statistics and counts, are the latest.

    Its first steps have a smaller decay, (1 + n) / (10 + n), as of TensorFlow's ExponentialMovingAverage: else a short
    training would end with much of its first weights.
    """

    def average(averaged: Tensor, latest: Tensor, steps: Tensor) -> Tensor:
        return averaged.lerp(latest, 1 - ((1 + steps) / (10 + steps)).clamp(max=decay).to(averaged.dtype))

    return WeightAveraging(avg_fn=average, use_buffers=False)


def _check(config: DictConfig) -> None:
    check_options(Trainer, config.trainer, "trainer.{}".format)
    for option in LEAVING_OUT.intersection(config.trainer):
        raise UsageError(
            f"trainer.{option} cannot be used: epochs are trained, validated and tested whole. For less training there "
            "are trainer.max_epochs and trainer.limit_train_batches."
        )
    epochs, share = config.trainer.get("max_epochs"), config.trainer.get("limit_train_batches", 1)
    if epochs is None or epochs < 1:
        raise UsageError(f"trainer.max_epochs={epochs}: it is a whole number, 1 or more.")
    if share is None or not share > 0:
        raise UsageError(f"trainer.limit_train_batches={share}: nothing would be trained; it is above 0.")
    if config.trainer.accelerator == "gpu" and not torch.cuda.is_available():
        raise UsageError("There is no GPU that torch can use here: train with trainer=cpu.")
    distributed = "strategy" in config.trainer
    if distributed and HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN:
        raise UsageError("trainer=ddp and -m do not go together: start the runs one by one.")
    if config.watch is not None and not (fits(config.watch, int) and config.watch > 0):
        raise UsageError(f"watch={config.watch}: it is a whole number, 1 or more, or null for never.")
    if config.average is not None and not (fits(config.average, float) and 0 < config.average < 1):
        raise UsageError(f"average={config.average}: it is a decay, more than 0 and less than 1, such as 0.999.")


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
        MovableCheckpoint, dirpath=run.checkpoints, save_on_train_epoch_end=True, enable_version_counter=False
    )
    best = every_epoch(filename="best", monitor=f"validation/{measure.name}", mode=measure.better)
    last = every_epoch(filename="last")
    return [best, last] if keep == "best" else [last]
