"""Hiding parts, and finding what excites most."""

import pytest
import torch
from torch import Tensor

import sigconv
from sigconv.blocks import chain
from sigconv.errors import UsageError
from sigconv.explain import activity, layer_names, occlusion, strongest, trace


@pytest.mark.parametrize("size", [(40,), (28, 28), (6, 12, 10), (1, 3)])
def test_what_is_lost_is_where_the_score_looks(size: tuple[int, ...]) -> None:
    place = tuple(length // 3 for length in size)
    x = torch.zeros(2, *size)
    x[(0, *place)] = 1.0

    def score(inputs: Tensor) -> Tensor:
        assert len(inputs) <= 32
        return inputs[(slice(None), 0, *place)]

    lost = occlusion(score, x)
    assert lost.shape == size
    assert lost[place] == lost.max() == pytest.approx(1 - x.mean().item())
    assert torch.isfinite(lost).all()
    assert lost[tuple(-1 for _ in size)] == 0 or min(size) < 4


def test_the_strongest_inputs_and_places() -> None:
    conv = sigconv.Conv2d(1, 2, 1, bias=False)
    conv.weight.data = torch.tensor([1.0, -1.0]).reshape(2, 1, 1, 1)
    x = torch.zeros(5, 1, 3, 4)
    x[1, 0, 2, 3], x[3, 0, 0, 1], x[4, 0, 1, 1] = 5, 7, -2
    peaks = strongest(chain(conv=conv), "conv", x.split(2), 2)
    assert peaks.value.tolist()[0] == [7, 5]
    assert peaks.example.tolist()[0] == [3, 1]
    assert peaks.place.tolist()[0] == [[0, 1], [2, 3]]
    assert peaks.value[1, 0] == 2
    assert peaks.example[1, 0] == 4
    other = torch.zeros(1, 1, 2, 9)
    other[0, 0, 1, 7] = 6
    assert strongest(chain(conv=conv), "conv", [x, other], 2).place.tolist()[0] == [[0, 1], [1, 7]]
    assert strongest(chain(conv=conv), "conv", [x[:1]], 4).value.shape == (2, 1)  # as many as there are


def test_a_layer_that_is_not_used_is_said() -> None:
    class Half(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.unused = sigconv.Conv1d(1, 2, 3), sigconv.Conv1d(1, 2, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.used(x)

    network, x = Half(), torch.zeros(1, 1, 5)
    assert layer_names(network) == ["used", "unused"]
    assert list(trace(network, x)) == ["used"]
    with pytest.raises(UsageError, match="'unused' takes no part"):
        activity(network, "unused", x)


def test_a_trace_changes_nothing() -> None:
    class Frames(torch.nn.Module):
        """Frame by frame, with one layer used twice."""

        def __init__(self) -> None:
            super().__init__()
            self.twice, self.last = torch.nn.Conv2d(1, 1, 1), torch.nn.Conv2d(1, 2, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.last(self.twice(self.twice(x.transpose(1, 2).flatten(0, 1))))

    network, x = Frames(), torch.randn(2, 1, 5, 8, 9)
    frames = {name: y.transpose(1, 2).flatten(0, 1) for name, y in trace(network, x).items()}
    torch.testing.assert_close(frames["twice"], network.twice(x.transpose(1, 2).flatten(0, 1)))
    torch.testing.assert_close(frames["last"], network(x))


def test_layers_are_known_by_what_they_are() -> None:
    normed = torch.nn.utils.parametrizations.weight_norm(torch.nn.Conv1d(1, 2, 3))
    block = torch.nn.Sequential(normed, torch.nn.GRU(2, 2))
    block.register_parameter("scale", torch.nn.Parameter(torch.ones(2, 1, 1)))
    assert layer_names(torch.nn.Sequential(block)) == ["0.0"]
    assert layer_names(sigconv.Conv1d(1, 2, 3)) == [""]
    assert activity(sigconv.Conv1d(1, 2, 3), "", torch.zeros(1, 1, 5)).shape == (1, 2, 3)


def test_watching_leaves_nothing_behind() -> None:
    network = chain(conv=sigconv.Conv1d(1, 2, 3), later=sigconv.Conv1d(2, 2, 30))
    assert activity(network, "conv", torch.zeros(1, 1, 5)).shape == (1, 2, 3)  # what is behind would not fit
    assert not network.conv._forward_hooks
