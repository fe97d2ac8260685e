"""Going back through ReLU and pooling by each rule, against a case that was worked out by hand."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as T

import sigconv
from sigconv.blocks import ConvBlock, chain
from sigconv.errors import UsageError
from sigconv.explain import projection


def _by_hand(relu: str, joined: bool) -> nn.Module:
    """first (kernel 1, -1), ReLU, maximum of pairs, second (kernel 2, -1): (1, 1, 5) -> (1, 1, 1)."""
    first = sigconv.Conv1d(1, 1, 2, bias=False)
    second = sigconv.Conv1d(1, 1, 2, bias=False)
    first.weight.data, second.weight.data = torch.tensor([[[1.0, -1.0]]]), torch.tensor([[[2.0, -1.0]]])
    pool = sigconv.MaxPool1d(2)
    if joined:
        block = ConvBlock(1, 1, 2, ndim=1, norm=None)
        block.conv.weight.data, block.conv.bias.data = first.weight.data, torch.zeros(1)  # type: ignore[union-attr]
        return chain(first=block, pool=pool, second=second)
    activation: nn.Module = {
        "module": nn.ReLU(),
        "in place": nn.ReLU(inplace=True),
        "function": _Function(),
        "statement": _Statement(),
    }[relu]
    return chain(first=first, relu=activation, pool=pool, second=second)


class _Function(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(input=x)


class _Statement(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        x = x + 0
        T.relu(x, inplace=True)
        return x.relu_()


# x = 3 1 5 4 6 gives 2 -4 1 -2 behind the first, 2 0 1 0 behind ReLU; the winners are 2 and 1, and the second gives 3.
# Its error 1 is 2 -1 behind pooling, 2 0 -1 0 behind ReLU. By the gradient all of that is let through, and by both of
# the other rules only the 2. The first's kernel then spreads it: 2 -2 0 0 0, and -1 1 from the third sample on.
SIGNAL = torch.tensor([[3.0, 1.0, 5.0, 4.0, 6.0]])
EXPECTED = {
    "gradient": [2.0, -2.0, -1.0, 1.0, 0.0],
    "deconvolution": [2.0, -2.0, 0.0, 0.0, 0.0],
    "guided": [2.0, -2.0, 0.0, 0.0, 0.0],
}


@pytest.mark.parametrize(
    ("relu", "joined"), [("module", False), ("in place", False), ("function", False), ("statement", False), ("", True)]
)
@pytest.mark.parametrize("rule", EXPECTED)
def test_a_case_by_hand(rule: str, relu: str, joined: bool) -> None:
    network = _by_hand(relu, joined).eval()
    assert projection(network, "second", SIGNAL, 0, (0,), rule).tolist() == [EXPECTED[rule]]


def test_deconvolution_alone_passes_where_nothing_was_active() -> None:
    """Two maps, 1 and -1 times a sample: the second is dead, and its error, 3, is let through by that rule only."""
    first, second = sigconv.Conv1d(1, 2, 1, bias=False), sigconv.Conv1d(2, 1, 1, bias=False)
    first.weight.data, second.weight.data = torch.tensor([[[1.0]], [[-1.0]]]), torch.tensor([[[2.0], [3.0]]])
    network = chain(first=first, relu=nn.ReLU(), second=second)
    found = {rule: projection(network, "second", torch.tensor([[7.0]]), 0, (0,), rule).item() for rule in EXPECTED}
    assert found == {"gradient": 2, "guided": 2, "deconvolution": 2 - 3}


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_without_relu_all_rules_are_the_gradient(ndim: int) -> None:
    torch.manual_seed(0)
    network = chain(
        a=sigconv.Conv(2, 3, 3, ndim=ndim), pool=sigconv.MaxPool(2, ndim=ndim), b=sigconv.Conv(3, 2, 2, ndim=ndim)
    )
    x = torch.randn(2, *[8] * ndim, requires_grad=True)
    place = (1,) * ndim
    (expected,) = torch.autograd.grad(network(x[None])[(0, 1, *place)], x)
    for rule in EXPECTED:
        torch.testing.assert_close(projection(network, "b", x, 1, place, rule), expected)


def test_a_network_may_begin_by_changing_its_input_in_place() -> None:
    network = nn.Sequential(nn.ReLU(inplace=True), sigconv.Conv1d(1, 1, 1))
    x = torch.tensor([[1.0, -1.0]])
    for place, right in ((0, network[1].weight.item()), (1, 0.0)):
        assert projection(network, "1", x, 0, (place,), "gradient")[0, place] == right


@pytest.mark.parametrize("relu", [T.relu, T.relu_, partial(T.relu, inplace=True), torch.relu, torch.relu_])
def test_what_a_relu_was_given_is_left_as_it_was_or_not(relu: Callable[[Tensor], Tensor]) -> None:
    class Shortcut(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.last = sigconv.Conv1d(1, 2, 3), sigconv.Conv1d(2, 1, 2)

        def forward(self, x: Tensor) -> Tensor:
            y = self.conv(x)
            return self.last(relu(y) + y)

    network, x = Shortcut(), torch.randn(1, 9, requires_grad=True)
    (expected,) = torch.autograd.grad(network(x[None])[0, 0, 3], x)
    torch.testing.assert_close(projection(network, "last", x, 0, (3,), "gradient"), expected)


def test_the_rules_end_with_the_projection() -> None:
    network = _by_hand("module", False)
    projection(network, "second", SIGNAL, 0, (0,), "deconvolution")
    x = SIGNAL.clone().requires_grad_()
    network(x[None]).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [EXPECTED["gradient"]]


def test_an_unknown_rule_or_layer_is_named() -> None:
    network = _by_hand("module", False)
    with pytest.raises(UsageError, match=r"no rule 'guide'. Did you mean guided"):
        projection(network, "second", SIGNAL, 0, (0,), "guide")
    with pytest.raises(UsageError, match=r"no layer 'relu'.*first, pool, second"):
        projection(network, "relu", SIGNAL, 0, (0,))
