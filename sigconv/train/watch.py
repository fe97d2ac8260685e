"""Stops a training that cannot succeed, and diagnoses why."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from torch import Tensor, nn

from sigconv.errors import UsageError
from sigconv.hooks import hooked
from sigconv.train.batches import Batch

WINDOW = 50  # steps between two checks of the losses, each of which waits for the device
ROWS = 16  # layers in a diagnosis
MARGIN = 0.01  # a loss that is less than this share below guessing has not moved


def guessing_loss(labels: Tensor, classes: int, label_smoothing: float = 0.0) -> float:
    """The lowest cross entropy, in nats, that ignores the signal: the entropy of the (smoothed) class frequencies.

    Args:
        labels: (N,) int64, of the training examples.
    """
    prior = torch.bincount(labels, minlength=classes).double() / len(labels)
    smoothed = (1 - label_smoothing) * prior + label_smoothing / classes
    return float(torch.special.entr(smoothed).sum())


class Watch(Callback):
    """Raises UsageError if a loss is NaN or infinite, or if it is no better than guessing after `patience` steps.

    Args:
        guessing: the loss of a network that learned nothing but the frequencies of the classes; infinite for no such
            check.
        patience: steps after which the mean loss over a window must be below that; it is not checked later.
    """

    def __init__(self, guessing: float, patience: int | None) -> None:
        self.guessing, self.patience = guessing, math.inf if patience is None else patience
        self._losses: list[Tensor] = []

    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        self._losses.append(outputs["loss"].detach())
        if len(self._losses) < WINDOW and not trainer.is_last_batch:
            return
        losses = torch.stack(self._losses).float()
        self._losses.clear()
        mean, step = losses.mean().item(), trainer.global_step
        if not math.isfinite(mean):
            finite = ", ".join(f"{loss:.3g}" for loss in losses[losses.isfinite()][-5:].tolist()) or "none"
            raise UsageError(
                f"the loss is no longer a number (the last finite ones: {finite}).\n"
                + diagnosis(trainer, module, batch)
            )
        if self.patience <= step < self.patience + WINDOW and mean > self.guessing * (1 - MARGIN):
            raise UsageError(
                f"the loss has not moved: its mean over the last {len(losses)} steps is {mean:.4f}, and guessing by "
                f"the frequency of the classes gives {self.guessing:.4f}.\n{diagnosis(trainer, module, batch)}"
            )


def diagnosis(trainer: Trainer, task: Any, batch: Batch) -> str:
    """The main facts about a failed training, on one screen, and what they suggest.

    Args:
        task: with `features` and a `model`.
        batch: the last one.
    """
    rate = trainer.optimizers[0].param_groups[0]["lr"]
    inputs, dead = _look_inside(task, batch)
    rows = [_layer_row(name, layer, dead[name]) for name, layer in _leaves(task.model) if name in dead]
    if len(rows) > ROWS:
        rows = [*rows[: ROWS // 2], "    ...", *rows[-ROWS // 2 :]]
    return "\n".join(
        [
            f"  step {trainer.global_step}, epoch {trainer.current_epoch + 1}, learning rate {rate:.3g}",
            f"  inputs from {inputs.min():.3g} to {inputs.max():.3g}, mean {inputs.mean():.3g}, "
            f"deviation {inputs.std():.3g}",
            f"  {'layer':28}{'weights':>10}{'gradient':>10}{'dead':>8}   (root mean squares; share of zero outputs)",
            *rows,
            f"  -> {_hint(inputs, max(dead.values(), default=0.0))}",
        ]
    )


def _hint(inputs: Tensor, dead: float) -> str:
    if not inputs.isfinite().all():
        return "the inputs are not finite: look at the corpus and at the features."
    if inputs.std() < 1e-6:
        return "the inputs are all alike: look at the corpus and at the features."
    if inputs.abs().max() > 100:
        return "the inputs are far from the range of about -3 to 3 that suits a network: look at the features."
    if dead > 0.5:
        return "most units of a layer died, as under too high a learning rate: try optim.lr at a tenth."
    return "the learning rate may be too high (try optim.lr at a tenth) or, if the gradients are tiny, too low."


@torch.no_grad()
def _look_inside(task: Any, batch: Batch) -> tuple[Tensor, dict[str, float]]:
    """The network's inputs; and for each layer with weights the share of outputs that are zero for the whole batch.

    Layers without weights that follow it, such as its activation, count as part of the layer.
    """
    dead: dict[str, float] = {}

    def observe(name: str) -> Any:
        def hook(layer: nn.Module, inputs: Any, output: Tensor) -> None:
            strongest = output.float().abs().transpose(0, 1).flatten(1).amax(1)
            share = (strongest == 0).float().mean().item()
            owner = name if _weights(layer) else next(reversed(dead), name)
            dead[owner] = max(share, dead.get(owner, 0.0))

        return hook

    inputs = task.features(batch.signal)
    with hooked({layer: observe(name) for name, layer in _leaves(task.model)}):
        task.model(inputs)
    return inputs.float(), dead


def _leaves(model: nn.Module) -> list[tuple[str, nn.Module]]:
    return [(name, layer) for name, layer in model.named_modules() if not any(True for _ in layer.children())]


def _weights(layer: nn.Module) -> list[Tensor]:
    return list(layer.parameters())


def _layer_row(name: str, layer: nn.Module, dead: float) -> str:
    weights = _weights(layer)
    gradients = [weight.grad for weight in weights if weight.grad is not None]
    numbers = "".join(f"{_rms(tensors):>10.2g}" if tensors else " " * 10 for tensors in (weights, gradients))
    return f"    {f'{name} {type(layer).__name__}':26}{numbers}{dead:>8.0%}"


def _rms(tensors: Sequence[Tensor]) -> float:
    return torch.cat([tensor.detach().flatten().float() for tensor in tensors]).square().mean().sqrt().item()
