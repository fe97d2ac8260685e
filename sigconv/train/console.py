"""What a run shows in the terminal."""

import logging
import sys
import warnings

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import TQDMProgressBar
from lightning.pytorch.callbacks.progress.tqdm_progress import Tqdm
from lightning.pytorch.utilities import rank_zero_only
from tqdm import tqdm

REFRESH = 20  # batches between two updates of the bar

# Warnings from Lightning and torch that a user of a recipe can do nothing about.
NOISE = (
    r".*`isinstance\(treespec, LeafSpec\)` is deprecated",
    r".*does not have many workers",
    r".*it is recommended to use `Trainer\(devices=1, num_nodes=1\)`",
    r".*Checkpoint directory .* exists and is not empty",
    r".*GPU available but not used",
    r"It is recommended to use `self.log\(.*sync_dist=True",  # torchmetrics does it already
)


@rank_zero_only
def say(text: str = "") -> None:
    """Prints a line above a progress bar, if there is one; in a distributed run only the first process prints."""
    tqdm.write(text, file=sys.stdout)


def quiet_lightning() -> None:
    for name in ("lightning", "lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    for message in NOISE:
        warnings.filterwarnings("ignore", message)


class ProgressBar(TQDMProgressBar):
    """A bar for the current epoch, removed when it ends. None is shown if the output is not a terminal."""

    def __init__(self) -> None:
        super().__init__(refresh_rate=REFRESH if sys.stdout.isatty() else 0)

    def init_train_tqdm(self) -> Tqdm:
        return self._fleeting(super().init_train_tqdm())

    def init_test_tqdm(self) -> Tqdm:
        return self._fleeting(super().init_test_tqdm())

    def _fleeting(self, bar: Tqdm) -> Tqdm:
        bar.leave = False
        return bar

    def on_train_epoch_start(self, trainer: Trainer, *_: object) -> None:
        super().on_train_epoch_start(trainer, *_)
        self.train_progress_bar.set_description(f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}")

    def on_exception(self, *_: object) -> None:
        for bar in (self._train_progress_bar, self._val_progress_bar):
            if bar is not None:
                bar.close()

    def get_metrics(self, trainer: Trainer, module: LightningModule) -> dict:
        return {}
