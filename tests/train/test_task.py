"""What every task does with its batches, whatever it is that it learns."""

from itertools import product
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from networks import Kept
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import LinearLR

from sigconv.ctc import Tokens
from sigconv.train.batches import Batch
from sigconv.train.callbacks import SeedSteps
from sigconv.train.classification import Classification
from sigconv.train.transcription import Transcription


class Append(nn.Module):
    """Writes a digit behind each number."""

    def __init__(self, digit: int) -> None:
        super().__init__()
        self.digit = digit

    def forward(self, x: Tensor) -> Tensor:
        return 10 * x + self.digit


def classification(**options: Any) -> Classification:
    """A network of three classes, whose input is its answer."""
    return Classification(nn.Identity(), features=nn.Identity(), classes=3, **options)


def batch(logits: Tensor, labels: Tensor, place: Tensor) -> Batch:
    return Batch(logits, labels, place, torch.ones(len(labels)))


def test_the_loss_is_the_mean_over_examples_without_smoothing() -> None:
    task = classification(label_smoothing=0.3)
    logits, labels, places = torch.randn(5, 3), torch.tensor([0, 1, 2, 0, 1]), torch.arange(5)
    for part in (slice(0, 4), slice(4, 5)):
        task.validation_step(batch(logits[part], labels[part], places[part]), 0)
    assert task.metrics["validation/loss"].compute() == pytest.approx(F.cross_entropy(logits, labels).item())


def test_accuracy_counts_examples_and_not_classes() -> None:
    task = classification()
    task.validation_step(batch(torch.eye(3)[[0, 0, 0, 0]], torch.tensor([0, 0, 0, 1]), torch.arange(4)), 0)
    assert task.metrics["validation/accuracy"].compute() == 0.75


def test_the_outputs_are_in_the_order_of_the_split_and_of_the_last_test() -> None:
    task = classification()
    task.log = lambda *_: None
    for logits in torch.randn(2, 4, 3):
        for places in (torch.tensor([2, 0]), torch.tensor([3, 1])):
            task.test_step(batch(logits[places], torch.zeros(2, dtype=torch.int64), places), 0)
        task.on_test_epoch_end()
        assert torch.equal(task.test_logits, logits)


def test_signals_and_features_are_augmented_in_training_alone() -> None:
    network = Kept()
    augment = {"signal": Append(1), "features": Append(2)}
    task = Classification(network, features=nn.Identity(), classes=3, augment=augment)
    task.configure_optimizers = lambda: None
    zeros = batch(torch.zeros(2, 3), torch.zeros(2, dtype=torch.int64), torch.arange(2))
    task.training_step(zeros, 0)
    assert network.seen.eq(12).all()
    for step in (task.validation_step, task.test_step):
        step(zeros, 0)
        assert network.seen.eq(0).all()


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_what_is_answered_to_padding_never_counts(split: str) -> None:
    task = Transcription(nn.Identity(), features=nn.Identity(), tokens=Tokens(["", "a", "b"], "words"))
    step = {"train": task.training_step, "validation": task.validation_step, "test": task.test_step}[split]
    logits, losses = torch.randn(1, 3, 10), []
    for shown in (logits, logits[..., :6]):
        step(Batch(shown, torch.tensor([[1, 2]]), torch.arange(1), torch.tensor([6])), 0)
        losses.append(task.metrics[f"{split}/loss"].compute().item())
        task.metrics[f"{split}/loss"].reset()
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


def test_only_what_is_trained_counts_as_weights() -> None:
    network = nn.Linear(3, 3)
    network.bias.requires_grad_(False)
    assert Classification(network, features=nn.Identity(), classes=3).weights == 9


def test_the_learning_rate_changes_at_every_step() -> None:
    def schedule(optimizer: Any, total_steps: int) -> LinearLR:
        return LinearLR(optimizer, total_iters=total_steps)

    task = Classification(nn.Linear(3, 3), features=nn.Identity(), classes=3, schedule=schedule)
    task._trainer = SimpleNamespace(estimated_stepping_batches=10)
    scheduler = task.configure_optimizers()["lr_scheduler"]
    assert scheduler["interval"] == "step"
    assert scheduler["scheduler"].total_iters == 10


def test_each_seed_epoch_step_and_process_draws_its_own() -> None:
    module, drawn = SimpleNamespace(device=torch.device("cpu")), set()
    for seed, epoch, step, rank in product(range(2), repeat=4):
        trainer: Any = SimpleNamespace(current_epoch=epoch, global_rank=rank)
        SeedSteps(seed).on_train_batch_start(trainer, module, None, step)  # type: ignore[bad-argument-type]
        drawn.add(torch.rand(()).item())
    assert len(drawn) == 16
