"""A training that cannot succeed stops, and says what it saw."""

import math
from types import SimpleNamespace

import pytest
import torch
from lightning import Trainer
from torch import nn

from sigconv.corpus import Corpus
from sigconv.errors import UsageError
from sigconv.train.classification import Classification
from sigconv.train.data import CorpusData
from sigconv.train.watch import WINDOW, Watch, diagnosis, guessing_loss


class Pixels(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, signal: torch.Tensor) -> torch.Tensor:
        return signal.float().flatten(1) * self.factor


def train(digits: Corpus, lr: float, factor: float = 1 / 255, patience: int = 10, epochs: int = 4) -> None:
    network = nn.Sequential(nn.Linear(784, 32), nn.ReLU(), nn.Linear(32, 10))
    task = Classification(
        network, features=Pixels(factor), classes=10, optimizer=lambda weights: torch.optim.SGD(weights, lr=lr)
    )
    watch = Watch(guessing_loss(digits.split("train").labels, 10), patience)
    quiet = {
        "logger": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "enable_checkpointing": False,
    }
    trainer = Trainer(
        accelerator="cpu", devices=1, max_epochs=epochs, callbacks=[watch], num_sanity_val_steps=0, **quiet
    )
    trainer.fit(task, CorpusData(digits, batch_size=32, seed=0))


def test_a_training_that_learns_goes_on(digits: Corpus) -> None:
    train(digits, lr=0.1)


def test_a_loss_that_is_no_number_stops_it(digits: Corpus) -> None:
    with pytest.raises(UsageError, match="no longer a number") as stop:
        train(digits, lr=1e20)
    assert "the last finite ones: 2." in str(stop.value)
    assert "learning rate 1e+20" in str(stop.value)


def test_a_loss_that_has_not_moved_stops_it(digits: Corpus) -> None:
    with pytest.raises(UsageError, match=r"not moved: its mean over the last 5 steps is 2\.\d+, .* 2\.3026"):
        train(digits, lr=1e-9)


def test_it_is_not_looked_at_before(digits: Corpus) -> None:
    train(digits, lr=1e-9, patience=25)  # there are but 20 steps


def test_it_is_not_looked_at_later(digits: Corpus) -> None:
    train(digits, lr=1e-9, patience=-WINDOW)  # as if so many steps had been before


@pytest.mark.parametrize(
    ("factor", "hint"), [(0.0, "the inputs are all alike"), (1e6, "far from the range"), (math.nan, "are not finite")]
)
def test_the_inputs_are_blamed_where_they_are_to_blame(digits: Corpus, factor: float, hint: str) -> None:
    with pytest.raises(UsageError, match=f"-> the inputs .*{hint.removeprefix('the inputs ')}"):
        train(digits, lr=1e-9 if factor < 1 else 1e20, factor=factor)


def test_dead_units_are_counted_for_the_layer_that_they_belong_to() -> None:
    network = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    with torch.no_grad():
        network[0].bias[:6] = -100
    task = Classification(network, features=nn.Identity(), classes=2)
    trainer = SimpleNamespace(optimizers=[SimpleNamespace(param_groups=[{"lr": 0.1}])], global_step=1, current_epoch=0)
    said = diagnosis(trainer, task, SimpleNamespace(signal=torch.rand(16, 4)))
    rows = [line.split() for line in said.splitlines() if "Linear" in line]
    assert rows[0][-1] == "75%"
    assert rows[1][-1] == "0%"
    assert "units of a layer died" in said


def test_guessing_is_the_entropy_of_the_classes() -> None:
    labels = torch.tensor([0, 0, 0, 1])
    assert guessing_loss(labels, 2) == pytest.approx(-(0.75 * math.log(0.75) + 0.25 * math.log(0.25)))
    assert guessing_loss(torch.arange(10), 10) == pytest.approx(math.log(10))
    assert guessing_loss(torch.zeros(5, dtype=torch.int64), 2, label_smoothing=0.2) == pytest.approx(
        -(0.9 * math.log(0.9) + 0.1 * math.log(0.1))
    )
