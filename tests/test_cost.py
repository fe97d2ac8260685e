"""What a training takes."""

import json

import pytest
import torch
from typer.testing import CliRunner

from sigconv import cli, cost
from sigconv.errors import UsageError

TINY = "1x12x12-4C3-MP2-3N"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "SECONDS", 0.01)


def test_an_epoch_is_its_samples_and_a_training_its_epochs() -> None:
    made = cost.DeviceCost("a machine", forward=0.5, training=2.0, spread=0.25)
    text = str(cost.Cost(TINY, 1, 2, samples=3600, epochs=48, batch=8, devices=(made,)))
    assert [line.split() for line in text.splitlines()[-2:]] == [
        ["a", "machine", "forward", "500", "ms", "30", "min", "24", "h", "25%"],
        ["a", "machine", "training", "2", "s", "2", "h", "4", "days", "25%"],
    ]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.5, "0.5 s"), (108, "108 s"), (125, "2.1 min"), (97_200, "27 h"), (4e7, "15 months"), (1e9, "32 years")],
)
def test_durations_are_said_in_the_largest_unit_that_there_are_two_of(seconds: float, words: str) -> None:
    assert cost.duration(seconds) == words


def test_every_device_is_measured_and_training_takes_longer() -> None:
    found = cost.cost(TINY, 1000, 3, batch=4)
    assert len(found.devices) == 1 + torch.cuda.is_available()
    assert found.weights == 343
    for device in found.devices:
        assert 0 < device.forward < device.training


def test_the_command_prints_it_or_gives_data() -> None:
    words = ["cost", TINY, "--samples", "1000", "--epochs", "2", "--batch", "4"]
    printed, data = (CliRunner().invoke(cli.app, [*words, *more]).output for more in ([], ["--json"]))
    assert "343 weights" in printed
    assert "1,000 samples" in printed
    assert json.loads(data)["epochs"] == 2


def test_a_batch_that_memory_does_not_hold_is_refused() -> None:
    with pytest.raises(UsageError, match="memory does not suffice for 1,000,000,000,000 samples at a time"):
        cost.cost("1x28x28-10N", samples=10, batch=10**12)


def test_numbers_less_than_one_are_refused() -> None:
    with pytest.raises(UsageError, match="samples is 0; it must be at least 1"):
        cost.cost(TINY, 0)


@pytest.mark.parametrize(("architecture", "why"), [("1x8x8-MP2", "ends in maps"), ("1x8x8-GAP", "no weights")])
def test_what_cannot_be_trained_is_refused(architecture: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        cost.cost(architecture, 10)
