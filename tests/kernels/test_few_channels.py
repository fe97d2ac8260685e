"""The gradient by the weights, of windows that are multiplied where they lie."""

import pytest
import torch
from agreement import assert_differentiable, assert_is_definition, problems, supported
from geometries import Drawn, drawn_windows
from hypothesis import given, settings
from hypothesis import strategies as st

import sigconv
from sigconv.geometry import Geometry
from sigconv.kernels import few_channels
from sigconv.kernels.compiled import runtime
from sigconv.layout import channels_last
from sigconv.window import Window

pytestmark = pytest.mark.skipif(not runtime.is_available(), reason="Numba has no OpenMP here")


@settings(max_examples=40, deadline=None)
@given(drawn_windows(ranks=(1, 2, 3, 4)), st.integers(1, 3), st.sampled_from((16, 24, 70)), st.booleans())
def test_is_the_definition(drawn: Drawn, in_channels: int, out_channels: int, innermost: bool) -> None:
    geometry = Geometry(drawn.window, drawn.size)
    assert supported(few_channels, geometry, in_channels, out_channels) == {"grad_weight"}
    assert_is_definition(few_channels, geometry, in_channels, out_channels, innermost)


def test_more_windows_than_a_part_has() -> None:
    assert_is_definition(few_channels, Geometry(Window.parse((5,), 2), (400,)), 1, 16, False)


def test_refuses_groups_few_maps_and_half_precision() -> None:
    assert not supported(few_channels, Geometry(Window.parse((3,)), (9,), groups=2), 2, 16)
    assert not supported(few_channels, Geometry(Window.parse((3,)), (9,)), 1, 15)
    halves = problems(Geometry(Window.parse((3,)), (9,)), 1, 16, torch.bfloat16)
    assert not any(few_channels.supports(problem) for problem, _ in halves)


def test_same_bits_with_any_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    geometry, found = Geometry(Window.parse((80,), 4), (2000,)), []
    x, g = channels_last(torch.randn(3, 1, 2000)), channels_last(torch.randn(3, 40, 481))
    for threads in (1, 2, 3, 2):
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        found.append(few_channels.grad_weight(x, g, geometry))
    assert all(torch.equal(other, found[0]) for other in found[1:])


def test_is_taken_for_long_lines_and_large_pictures() -> None:
    def kernel(layer: torch.nn.Module, *shape: int, **options: bool) -> str:
        *_, of_weight = sigconv.plan(layer, shape, **options).steps
        assert of_weight.operation == "grad_weight"
        return of_weight.kernel

    waveform, picture = sigconv.Conv1d(1, 32, 80, 4), sigconv.Conv2d(3, 64, 3)
    assert kernel(waveform, 32, 1, 8000) == kernel(waveform, 32, 1, 8000, channels_last=False) == "few_channels"
    assert kernel(picture, 8, 3, 112, 112) == "few_channels"
    assert (
        kernel(sigconv.Conv1d(1, 128, 80, 4), 32, 1, 8000, channels_last=False) == "vendor"
    )  # laying out takes longer
    assert kernel(picture, 8, 3, 28, 28) == "vendor"  # small
    assert kernel(sigconv.Conv2d(3, 64, 7, 2), 8, 3, 224, 224) == "vendor"  # apart
    assert kernel(sigconv.Conv1d(16, 32, 80, 4), 32, 16, 8000) == "vendor"  # channels enough


def test_derivatives(monkeypatch: pytest.MonkeyPatch) -> None:
    x, w = torch.randn(2, 1, 11, 7), torch.randn(17, 1, 4, 2)
    assert_differentiable(few_channels, monkeypatch, x, w, stride=2, padding=((1, 2), (0, 1)), dilation=(2, 1))
