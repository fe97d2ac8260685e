"""What all tasks, which are Lightning modules, have in common."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch
from lightning import LightningModule
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torchmetrics import MeanMetric, Metric

from sigconv.convert import channels_last as with_weights_in_channels_last
from sigconv.corpus import Corpus
from sigconv.errors import UsageError
from sigconv.layout import channels_last
from sigconv.train.batches import Batch
from sigconv.train.measures import Measure


class Outputs(Metric):
    """The logits of every example of an epoch, gathered over all processes, in the order of the split.

    Torchmetrics' CatMetric takes on the network's dtype, such as bfloat16, in which places are not exact.
    """

    logits: list[Tensor]
    index: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        self.add_state("logits", [], dist_reduce_fx="cat")
        self.add_state("index", [], dist_reduce_fx="cat")

    def update(self, logits: Tensor, index: Tensor) -> None:
        self.logits.append(logits.float())
        self.index.append(index)

    def compute(self) -> Tensor:
        logits, index = (torch.cat(part) if isinstance(part, list) else part for part in (self.logits, self.index))
        return logits[index.argsort()]


class Task(LightningModule, ABC):
    """A network, its features and its training objective.

    Logs the loss and the `measure` as `train/loss`, `train/...`, `validation/...` and `test/...` once per epoch.

    Args:
        model: features (B, ...) -> logits (B, outputs, ...).
        features: raw signal -> input of the network; saved with it.
        augment: modules "signal" and "features" that change those of a training batch, drawing from torch's global
            generator.
        optimizer: parameters -> optimiser.
        schedule: (optimiser, total_steps=number of steps) -> schedule of the learning rate, stepped every batch.

    Attributes:
        test_logits: (N, outputs, ...), of the examples of the last test in the order of their split.
    """

    measure: ClassVar[Measure]

    def __init__(
        self,
        model: nn.Module,
        *,
        features: nn.Module,
        augment: Mapping[str, nn.Module] | None = None,
        optimizer: Callable[..., Optimizer] = torch.optim.AdamW,
        schedule: Callable[..., LRScheduler] | None = None,
    ) -> None:
        super().__init__()
        self.features = features
        self.model = with_weights_in_channels_last(model)
        self.augment = nn.ModuleDict(augment)
        self.optimizer, self.schedule = optimizer, schedule
        self.metrics = nn.ModuleDict()
        for split in ("train", "validation", "test"):
            # A check for NaN in every step would wait for the device; `Watch` checks many losses at once.
            self.metrics[f"{split}/loss"] = MeanMetric(nan_strategy="disable")
            self.metrics[f"{split}/{self.measure.name}"] = self.meter()
        self.outputs = Outputs()
        self.test_logits = torch.empty(0)

    @abstractmethod
    def meter(self) -> Metric:
        """The metric that computes the `measure` from what `answers` returns."""

    @abstractmethod
    def answers(self, logits: Tensor, targets: Tensor) -> tuple[Any, Any]:
        """The network's answers and the right ones, as the `meter` takes them."""

    @abstractmethod
    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The loss that is logged: the mean over a batch."""

    def heard(self, logits: Tensor, batch: Batch) -> Tensor:
        """The logits without what is answered to padding."""
        return logits

    def objective(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The loss that is minimised."""
        return self.loss(logits, targets)

    def mix(self, inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """The features and targets of a training batch, as used for training."""
        return inputs, targets

    @abstractmethod
    def results(self, corpus: Corpus) -> dict[str, Any]:
        """The results of the last test for metrics.json: under "test", all but the loss, and more under other keys."""

    @abstractmethod
    def in_words(self, metrics: Mapping[str, Any]) -> str:
        """The test results in metrics.json, in one line."""

    def about(self) -> dict[str, Any]:
        """What must be known, besides the corpus, to interpret an output."""
        return {}

    @property
    def weights(self) -> int:
        """The number of trained parameters."""
        return sum(weight.numel() for weight in self.parameters() if weight.requires_grad)

    def forward(self, signal: Tensor) -> Tensor:
        """Raw signals (B, *shape) to logits (B, outputs, ...)."""
        return self.model(_channels_last(self.features(signal)))

    def configure_optimizers(self) -> Any:
        try:
            optimizer = self.optimizer(self.parameters())
            if self.schedule is None:
                return optimizer
            schedule = self.schedule(optimizer, total_steps=int(self.trainer.estimated_stepping_batches))
        except (ValueError, TypeError) as error:  # a setting out of its range, which the message names
            raise UsageError(f"optim: {error}") from error
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        signal = self.augment["signal"](batch.signal) if "signal" in self.augment else batch.signal
        inputs = self.features(signal)
        if "features" in self.augment:
            inputs = self.augment["features"](inputs)
        inputs, targets = self.mix(inputs, batch.label)
        logits = self.heard(self.model(_channels_last(inputs)), batch)
        self._count("train", logits.detach(), targets)
        return self.objective(logits, targets)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self._count("validation", self.heard(self(batch.signal), batch), batch.label)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        logits = self.heard(self(batch.signal), batch)
        self._count("test", logits, batch.label)
        self.outputs.update(logits, batch.place)

    def on_train_epoch_end(self) -> None:
        self._log("train")

    def on_validation_epoch_end(self) -> None:
        self._log("validation")

    def on_test_epoch_end(self) -> None:
        self._log("test")
        self.test_logits = self.outputs.compute().cpu()
        self.outputs.reset()

    def _metric(self, split: str, name: str) -> Metric:
        metric = self.metrics[f"{split}/{name}"]
        assert isinstance(metric, Metric)
        return metric

    def _count(self, split: str, logits: Tensor, targets: Tensor) -> None:
        # For each example once: this metric forgets weights when it does not look for NaN.
        self._metric(split, "loss").update(self.loss(logits, targets).expand(len(targets)))
        self._metric(split, self.measure.name).update(*self.answers(logits, targets))

    def _log(self, split: str) -> None:
        for name in ("loss", self.measure.name):
            metric = self._metric(split, name)
            self.log(f"{split}/{name}", metric.compute())
            metric.reset()


def _channels_last(x: Tensor) -> Tensor:
    """Lays out pictures and videos with channels innermost; for signals of one axis the blocks do so themselves."""
    return channels_last(x) if x.ndim > 3 else x
