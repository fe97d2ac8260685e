"""What is tested where signals are moved, deformed, or in noise."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sigconv.errors import UsageError
from sigconv.signals.image import RandomWarp
from sigconv.signals.speech.augment import AddNoise
from sigconv.train.robustness import CHANGES, _moved, wanted_changes


def _data(signals: Tensor, labels: Tensor, rate: float | None = None) -> Any:
    """A test split, three signals a batch."""
    split = {"test": SimpleNamespace(labels=labels)}.__getitem__
    corpus = SimpleNamespace(split=split, info=SimpleNamespace(rate=rate))
    return SimpleNamespace(corpus=corpus, batch_size=3, all_signals=lambda _: signals.split(3))


class Middle(nn.Module):
    """Says what is in the middle of a picture."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.one_hot(x[:, 0, 2, 2].long(), 4).float()


class Heard(nn.Module):
    """Keeps what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        self.heard = x
        return x.new_zeros(len(x), 2, dtype=torch.float32)


def heard(change: str, amount: float, signals: Tensor) -> Tensor:
    """What a network hears of three signals, whatever was drawn before."""
    network = Heard()
    torch.manual_seed(7)
    CHANGES[change].measure(network, _data(signals, torch.zeros(3, dtype=torch.int64), rate=8000), [amount])
    torch.manual_seed(0)
    return network.heard


def test_noise_is_pink_and_of_its_ratio() -> None:
    sound = (8000 * torch.sin(torch.arange(4000) * 0.5)).short().expand(3, 1, -1)
    assert torch.equal(heard("noise", 10, sound), AddNoise(8000, (10, 10), (1, 1))(sound))


def test_distortion_is_smooth_and_gives_whole_shades() -> None:
    pictures = torch.randint(0, 256, (3, 1, 28, 28), dtype=torch.uint8)
    distorted = heard("deformation", 40, pictures)
    assert torch.equal(distorted, RandomWarp(elastic_alpha=40, elastic_sigma=5)(pictures.float()).round().byte())


def test_signals_go_both_ways_along_each_axis_and_zeros_come_in() -> None:
    x = torch.arange(1, 7, dtype=torch.uint8).reshape(1, 1, 2, 3)
    moved = [m[0, 0].tolist() for m in _moved(x, 1, None)]
    assert moved == [[[0, 0, 0], [1, 2, 3]], [[4, 5, 6], [0, 0, 0]], [[0, 1, 2], [0, 4, 5]], [[2, 3, 0], [5, 6, 0]]]
    assert all(torch.equal(m, x) for m in _moved(x, 0, None))


def test_accuracy_is_the_mean_over_directions() -> None:
    pictures = torch.zeros(3, 1, 5, 5, dtype=torch.uint8)
    pictures[0, 0, 2, 2] = 1  # is lost by any shift
    pictures[1, 0, :, 2] = 2  # stays where it is if moved along itself, but for what comes in
    pictures[2, 0] = 3
    data = _data(pictures, torch.tensor([1, 2, 3]))
    assert CHANGES["shift"].measure(Middle(), data, [0, 1, 3]) == {"0": 1.0, "1": (0 + 2 + 4) / 12, "3": 0.0}


def test_deformation_is_the_same_at_every_call_and_costs() -> None:
    pictures = torch.zeros(40, 1, 5, 5, dtype=torch.uint8)
    pictures[:, 0, 2, 2] = 3
    data = _data(pictures, torch.full((40,), 3))
    state = torch.get_rng_state()
    found = CHANGES["deformation"].measure(Middle(), data, [0, 60])
    assert found == CHANGES["deformation"].measure(Middle(), data, [0, 60])
    assert torch.equal(state, torch.get_rng_state())
    assert found["0"] == 1
    assert 0 <= found["60"] < 0.9


class Louder(nn.Module):
    """Says whether the second half of a recording is the louder one."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([half.square().mean((1, 2)) for half in x.float().chunk(2, 2)], 1)


def test_noise_is_the_same_at_every_call_and_costs() -> None:
    labels = torch.arange(40) % 2
    tone = 8000 * torch.sin(torch.arange(2000) * 0.5)
    halves = torch.stack([tone * 1.05 ** (label == half) for label in labels for half in (0, 1)])
    data = _data(halves.reshape(40, 1, 4000).short(), labels, rate=8000)
    state = torch.get_rng_state()
    found = CHANGES["noise"].measure(Louder(), data, [60, -20])
    assert found == CHANGES["noise"].measure(Louder(), data, [60, -20])
    assert torch.equal(state, torch.get_rng_state())
    assert found["60"] == 1
    assert 0.2 < found["-20"] < 0.8
    assert CHANGES["noise"].in_words({"20": 0.5, "0": 0.25}) == "50.00% at 20 dB, 25.00% at 0 dB"


def test_overload_clips_at_its_level() -> None:
    labels = torch.arange(40) % 2
    tone = 8000 * torch.sin(torch.arange(2000) * 0.5)
    halves = torch.stack([tone * (1.5 if label == half else 1) for label in labels for half in (0, 1)])
    data = _data(halves.reshape(40, 1, 4000).short(), labels)
    peaks = []
    network = Louder()
    network.register_forward_pre_hook(lambda _, x: peaks.append(x[0].abs().amax().item() * 32768))
    assert CHANGES["overload"].measure(network, data, [0, 20])["0"] == 1
    assert min(peaks) == pytest.approx(12000 / 10, rel=1e-3)
    assert max(peaks) == pytest.approx(12000, rel=1e-3)


def test_amounts_are_lists_of_numbers() -> None:
    assert wanted_changes({"shifts": [0, 2], "snr": None, "deformations": []}) == {"shift": [0, 2]}
    for wrong in (20, "20", ["a"], [float("nan")]):
        with pytest.raises(UsageError, match=r"snr=.*: it is a list of numbers"):
            wanted_changes({"snr": wrong})
    assert wanted_changes({"snr": [-5]}) == {"noise": [-5]}
    with pytest.raises(UsageError, match=r"shifts=\[2, -1\]: it must be at least 0"):
        wanted_changes({"shifts": [2, -1]})
    for option, most in (("overloads", 100), ("snr", 100), ("deformations", 1000)):
        assert wanted_changes({option: [most]})
        with pytest.raises(UsageError, match=rf"{option}=\[{most + 1}\]: it must be at most {most}"):
            wanted_changes({option: [most + 1]})
    with pytest.raises(UsageError, match=r"snr=\[-101\]: it must be at least -100"):
        wanted_changes({"snr": [-101]})
    with pytest.raises(UsageError, match=r"shifts=\[1, 1.5\]: signals are shifted by whole samples"):
        wanted_changes({"shifts": [1, 1.5]})
