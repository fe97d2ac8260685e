"""Sizes and receptive fields against counting by hand."""

import itertools

import numpy as np
import pytest
import torch
from geometries import Drawn, drawn_windows
from hypothesis import given
from hypothesis import strategies as st

from sigconv.errors import UsageError
from sigconv.window import Window, padding_of


def _starts(window: Window, axis: int, n: int) -> list[int]:
    """Where windows begin along an axis, in samples of the padded input, found by sliding."""
    before, after = window.padding[axis]
    return [
        o for o in range(0, before + n + after, window.stride[axis]) if o + window.extent[axis] <= before + n + after
    ]


@given(drawn_windows())
def test_output_size_counts_the_windows(drawn: Drawn) -> None:
    counted = tuple(len(_starts(drawn.window, axis, n)) for axis, n in enumerate(drawn.size))
    assert drawn.window.output_size(drawn.size) == counted


@given(drawn_windows())
def test_input_size_is_the_smallest_that_gives_the_output(drawn: Drawn) -> None:
    window, output = drawn.window, drawn.window.output_size(drawn.size)
    smallest = window.input_size(output)
    assert window.output_size(smallest) == output
    for axis, n in enumerate(smallest):
        assert window.output_size((*smallest[:axis], n - 1, *smallest[axis + 1 :])) != output


@given(drawn_windows(half_padded=True))
def test_ceil_mode_counts_as_torch_does(drawn: Drawn) -> None:
    window = drawn.window
    pool = getattr(torch.nn.functional, f"max_pool{window.ndim}d")
    padding = [before for before, _ in window.padding]
    y = pool(torch.zeros(1, 1, *drawn.size), window.kernel, window.stride, padding, window.dilation, ceil_mode=True)
    assert window.grown_to_ceil(drawn.size).output_size(drawn.size) == tuple(y.shape[2:])


@given(drawn_windows(), st.integers(0, 12))
def test_places_before_counts_places(drawn: Drawn, bound: int) -> None:
    window, output = drawn.window, drawn.window.output_size(drawn.size)
    found = window.places_before((bound,) * window.ndim, output, torch.device("cpu"))
    for axis, counts in enumerate(found):
        places = [
            [start + window.dilation[axis] * k for k in range(window.kernel[axis])]
            for start in (o * window.stride[axis] for o in range(output[axis]))
        ]
        assert counts.flatten().tolist() == [sum(p < bound for p in window_places) for window_places in places]


@given(drawn_windows())
def test_blind_axis_is_found_by_looking(drawn: Drawn) -> None:
    window = drawn.window
    blind = None
    for axis in reversed(range(window.ndim)):
        before, n = window.padding[axis][0], drawn.size[axis]
        for start in _starts(window, axis, n):
            seen = [start + window.dilation[axis] * k for k in range(window.kernel[axis])]
            if not any(before <= place < before + n for place in seen):
                blind = axis
    assert window.blind_axis(drawn.size) == blind


@pytest.mark.parametrize(("kernel", "dilation"), list(itertools.product((1, 2, 3, 4, 5), (1, 2, 3))))
def test_same_keeps_the_size_and_causal_sees_no_future(kernel: int, dilation: int) -> None:
    for stride, n in itertools.product((1, 2, 3), (1, 4, 9)):
        for word in ("same", "causal"):
            window = Window.parse((kernel,), stride, word, dilation)
            assert window.output_size((n,)) == (-(-n // stride),)
        assert Window.parse((kernel,), stride, "causal", dilation).padding[0][1] == 0


def test_padding_may_be_said_in_many_ways() -> None:
    def padding(value: object, kernel: tuple[int, ...] = (3, 5, 5)) -> object:
        return Window.parse(kernel, padding=value).padding  # type: ignore[arg-type]

    assert padding(1) == ((1, 1),) * 3
    assert padding((1, 2, 0)) == ((1, 1), (2, 2), (0, 0))  # as in torch: one for each axis
    assert padding((1, 2)) == ((1, 2),) * 3  # else a pair
    assert padding((1, 2), (3,)) == ((1, 2),)
    assert padding((1,), (3,)) == ((1, 1),)
    assert padding((1, 2), (3, 3)) == ((1, 1), (2, 2))
    assert padding(("causal", "same", (0, 1))) == ((2, 0), (2, 2), (0, 1))
    for value in (1, np.int64(1), [1], (1,), "same", ["same"], (1, 2), (1, 2, 0), ("same", [0, 1], 1)):
        assert padding(padding_of(value, 3, causal=False)) == padding(value)
        assert padding(padding_of(value, 3, causal=True)) == ((2, 0), *padding(value)[1:])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"kernel": 3}, ["kernel size 3", "ndim"]),
        ({"kernel": (3, 0)}, ["axis 1", "0", "1"]),
        ({"kernel": (3, 3), "stride": (1, -2)}, ["stride", "axis 1", "-2"]),
        ({"kernel": (3, 3), "dilation": 0}, ["dilation", "axis 0", "0"]),
        ({"kernel": (3, 3), "stride": (1, 2, 3)}, ["stride", "3 entries", "2 spatial"]),
        ({"kernel": (3, 3), "padding": -1}, ["padding", "axis 0", "-1"]),
        ({"kernel": (3, 3), "padding": "smae"}, ["smae", "same"]),
        ({"kernel": (3, 3), "padding": (1, 2, 3)}, ["padding", "3 entries"]),
        ({"kernel": (3, 3), "padding": (1.5, 1)}, ["1.5", "axis 0"]),
        ({"kernel": (3.0, 3)}, ["3.0", "whole number"]),
        ({"kernel": (True, 3)}, ["True", "whole number"]),
    ],
)
def test_what_does_not_fit_is_named(options: dict, words: list[str]) -> None:
    with pytest.raises(UsageError) as error:
        Window.parse(**options, owner="Conv2d")
    assert str(error.value).startswith("Conv2d: ")
    for word in words:
        assert word in str(error.value)
