"""What is tested where signals are moved or deformed."""

from types import SimpleNamespace

import torch
from torch import nn

from sigconv.train.robustness import _moved, accuracy_by_deformation, accuracy_by_shift


class Middle(nn.Module):
    """Says what is in the middle of a picture."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.one_hot(x[:, 0, 2, 2].long(), 4).float()


def test_signals_go_both_ways_along_each_axis_and_zeros_come_in() -> None:
    x = torch.arange(1, 7, dtype=torch.uint8).reshape(1, 1, 2, 3)
    moved = [m[0, 0].tolist() for m in _moved(x, 1)]
    assert moved == [[[0, 0, 0], [1, 2, 3]], [[4, 5, 6], [0, 0, 0]], [[0, 1, 2], [0, 4, 5]], [[2, 3, 0], [5, 6, 0]]]
    assert all(torch.equal(m, x) for m in _moved(x, 0))


def test_accuracy_is_the_mean_over_directions() -> None:
    pictures = torch.zeros(3, 1, 5, 5, dtype=torch.uint8)
    pictures[0, 0, 2, 2] = 1  # is lost by any shift
    pictures[1, 0, :, 2] = 2  # stays where it is if moved along itself, but for what comes in
    pictures[2, 0] = 3
    split = SimpleNamespace(tensors=lambda: (pictures, torch.tensor([1, 2, 3])))
    assert accuracy_by_shift(Middle(), split, [0, 1, 3]) == {"0": 1.0, "1": (0 + 2 + 4) / 12, "3": 0.0}


def test_deformation_is_the_same_at_every_call_and_costs() -> None:
    pictures = torch.zeros(40, 1, 5, 5, dtype=torch.uint8)
    pictures[:, 0, 2, 2] = 3
    split = SimpleNamespace(tensors=lambda: (pictures, torch.full((40,), 3)))
    state = torch.get_rng_state()
    found = accuracy_by_deformation(Middle(), split, [0, 60])
    assert found == accuracy_by_deformation(Middle(), split, [0, 60])
    assert torch.equal(state, torch.get_rng_state())
    assert found["0"] == 1
    assert 0 <= found["60"] < 0.9
