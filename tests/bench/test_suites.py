"""Every case can be built, and its contestants are what they should be."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.autograd.function import BackwardCFunction
from torch.nn.modules.batchnorm import _BatchNorm

from sigconv import layers, layout
from sigconv.bench.case import GPU_BATCH, Case, Suite
from sigconv.bench.contestant import CHANNELS_LAST, SIGCONV, TORCH, Contestant, Setting, contestants
from sigconv.bench.equal import check_equal
from sigconv.bench.suites import SUITES
from sigconv.blocks import Chain, ConvBlock, Linear
from sigconv.layers import Conv

LAYERS = nn.modules.conv._ConvNd, nn.modules.pooling._MaxPoolNd, _BatchNorm
SETTING = Setting(torch.device("cpu"), torch.float32)


def _small(suite: Suite, case: Case) -> Case:
    """A batch of two; where any size will do, of short signals."""
    size = [min(n, 400) for n in case.shape[2:]] if suite.name == "layers" else case.shape[2:]
    return replace(case, shape=(2, case.shape[1], *size))


CASES = [
    pytest.param(suite, _small(suite, case), id=f"{suite.name}: {case.name}")
    for suite in SUITES.values()
    for case in suite.cases
]


def test_on_a_gpu_batches_are_larger_but_where_calls_are_measured() -> None:
    gpu = torch.device("cuda")
    for suite in SUITES.values():
        pairs = zip(suite.cases, suite.on(gpu).cases, strict=True)
        factors = {there.shape[0] // here.shape[0] for here, there in pairs}
        assert factors == {1 if suite.name == "calls" else GPU_BATCH}
        assert suite.on(torch.device("cpu")) == suite


def _side(name: str, suite: Suite, case: Case) -> Contestant:
    return next(c for c in contestants(case, suite, SETTING) if c.name == name)


def _nodes(y: Tensor) -> Iterator[object]:
    """Of the graph that autograd walks through from y."""
    seen, left = set(), [y.grad_fn]
    while left:
        node = left.pop()
        if node is not None and node not in seen:
            seen.add(node)
            yield node
            left += [following for following, _ in node.next_functions]


def _received(contestant: Contestant, fits: Callable[[Tensor], bool]) -> list[str]:
    """The layers whose input does not fit."""
    found: list[str] = []

    def look(name: str, layer: nn.Module, inputs: tuple[Tensor]) -> None:
        if not fits(inputs[0]):
            found.append(name)

    for name, layer in contestant.network.named_modules():
        if isinstance(layer, LAYERS):
            layer.register_forward_pre_hook(partial(look, name))
    contestant.step()
    return found


@pytest.mark.parametrize(("suite", "case"), CASES)
def test_contestants_compute_the_same(suite: Suite, case: Case) -> None:
    plain, *others = contestants(case, suite, SETTING)
    check_equal(case, plain, others)


@pytest.mark.parametrize(("suite", "case"), CASES)
def test_torch_is_torch_in_its_default_layout(suite: Suite, case: Case) -> None:
    plain = _side(TORCH, suite, case)
    ours = layers.Conv, layers.ConvTranspose, layers.MaxPool, layers.AvgPool, Chain, ConvBlock, Linear
    assert not any(isinstance(part, ours) for part in plain.network.modules())
    assert not any(isinstance(node, BackwardCFunction) for node in _nodes(plain.network(plain.x)))
    assert not _received(plain, Tensor.is_contiguous)


@pytest.mark.parametrize(("suite", "case"), [case for case in CASES if len(case.values[1].shape) == 3])
def test_torch_has_channels_last_along_one_axis_too(suite: Suite, case: Case) -> None:
    other = _side(CHANNELS_LAST, suite, case)
    assert not any(isinstance(part, nn.Conv1d | nn.MaxPool1d) for part in other.network.modules())
    assert not _received(other, lambda x: x.ndim == 3 or x.is_contiguous(memory_format=torch.channels_last))


@pytest.mark.parametrize("name", SUITES)
def test_ours_gets_its_signals_as_a_layer_or_as_a_user_has_them(name: str) -> None:
    suite = SUITES[name]
    for case in suite.cases:
        if case.shape[1] > 1:
            contestant = _side(SIGCONV, suite, _small(suite, case))
            assert layout.is_channels_last(contestant.x) == suite.handed_on


@pytest.mark.parametrize("name", SUITES)
def test_our_weights_are_laid_out_as_the_suite_says(name: str) -> None:
    suite = SUITES[name]
    layers = _side(SIGCONV, suite, suite.cases[0]).network.modules()
    weights = [layer.weight for layer in layers if isinstance(layer, Conv) and layer.window.places > 1]
    assert weights
    assert all(layout.is_channels_last(weight) == suite.laid_out for weight in weights)


def test_names_are_unique() -> None:
    for suite in SUITES.values():
        names = [case.name for case in suite.cases]
        assert len(set(names)) == len(names)
