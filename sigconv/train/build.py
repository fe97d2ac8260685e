"""From a run's config to the objects that train."""

from functools import partial

import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from lightning import Trainer, seed_everything
from lightning.pytorch.callbacks import Callback, EMAWeightAveraging, ModelCheckpoint
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from omegaconf import DictConfig

from sigconv.architecture import times
from sigconv.corpus import Corpus
from sigconv.errors import UsageError
from sigconv.train.callbacks import Record, SeedSteps
from sigconv.train.console import ProgressBar
from sigconv.train.data import CorpusData
from sigconv.train.instantiate import instantiate
from sigconv.train.run import Run
from sigconv.train.task import Classification
from sigconv.train.watch import Watch, guessing_loss


def build_data(config: DictConfig, corpus: Corpus) -> CorpusData:
    return CorpusData(corpus, seed=config.seed, **config.loader)


def build_classification(config: DictConfig, corpus: Corpus) -> Classification:
    """Features, augmentation, network and optimiser, the weights drawn from `config.seed`.

    Raises UsageError where the network does not take the signals or has not as many outputs as the corpus classes.
    """
    try:
        seed_everything(config.seed, verbose=False)
    except ValueError as error:
        raise UsageError(f"seed={config.seed}: {error}") from None
    task = Classification(
        instantiate(config.model),
        features=instantiate(config.features),
        classes=len(corpus.labels),
        augment=instantiate(config.augment),
        optimizer=instantiate(config.optim.optimizer),
        schedule=instantiate(config.optim.schedule),
        label_smoothing=config.label_smoothing,
    )
    _check_fit(task, corpus)
    return task


@torch.no_grad()
def _check_fit(task: Classification, corpus: Corpus) -> None:
    signal, _ = corpus.split("train")[0]
    outputs = task.eval()(signal[None])
    task.train()
    if outputs.shape != (1, len(corpus.labels)):
        raise UsageError(
            f"The network gives {times(outputs.shape[1:])} outputs, but {corpus.info.name} has "
            f"{len(corpus.labels)} classes: let model.layers end in {len(corpus.labels)}N."
        )


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
