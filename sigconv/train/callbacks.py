"""Callbacks around the training step: seeding, and the record of the epochs."""

import time
from typing import Any

import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, Checkpoint

from sigconv.train.batches import derive_seed
from sigconv.train.console import say
from sigconv.train.measures import measure_of


class SeedSteps(Callback):
    """Seeds torch's generators before every training step from (seed, epoch, batch, process) alone.

    Augmentation and dropout then need no state in a checkpoint: a resumed run draws what an uninterrupted one would.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_batch_start(self, trainer: Trainer, module: LightningModule, batch: Any, batch_idx: int) -> None:
        seed = derive_seed(self.seed, trainer.current_epoch, batch_idx, trainer.global_rank)
        if module.device.type == "cpu":
            torch.default_generator.manual_seed(seed)  # torch.manual_seed spends 0.2 ms on seeding possible GPUs
        else:
            torch.manual_seed(seed)


class Record(Checkpoint):
    """Records and prints each epoch's metrics, learning rate and duration; stored in every checkpoint.

    It is a `Checkpoint` so that Lightning calls it after the module has logged its epoch and, being the first of
    them, before the others write it to disk.
    """

    def __init__(self) -> None:
        self.epochs: list[dict[str, float]] = []
        self._clock = 0.0

    @property
    def seconds(self) -> float:
        """Total duration of all epochs, including validation and checkpoints, also of those before a resumption."""
        return sum(epoch["seconds"] for epoch in self.epochs)

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        self._clock = time.perf_counter()

    def on_train_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        now = time.perf_counter()
        metrics = {name: value.item() for name, value in trainer.callback_metrics.items()}
        rate = trainer.optimizers[0].param_groups[0]["lr"]
        self.epochs.append(
            {"epoch": len(self.epochs) + 1, "seconds": now - self._clock, "learning_rate": rate, **metrics}
        )
        self._clock = now
        say(epoch_line(self.epochs[-1], trainer.max_epochs or 0))

    def state_dict(self) -> dict[str, Any]:
        return {"epochs": self.epochs}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.epochs = state["epochs"]


def epoch_line(epoch: dict[str, float], total: int) -> str:
    parts = [f"epoch {epoch['epoch']:>{len(str(total))}}/{total}"]
    for split in ("train", "validation"):
        if f"{split}/loss" in epoch:
            measure = measure_of(epoch, f"{split}/")
            share = measure.say(epoch[f"{split}/{measure.name}"], width=7)
            parts.append(f"{split} loss {epoch[f'{split}/loss']:.4f}, {share}")
    return "   ".join([*parts, f"{epoch['seconds']:.1f} s"])
