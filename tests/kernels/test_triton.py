"""Triton's kernels: when they are chosen and loaded, that they compile for a GPU, and their checks where there is none.

The checks themselves are in the files beside this one. They run on a GPU where there is one, and always in Triton's
interpreter, in a process of their own, since Triton decides for a whole process whether it interprets.
"""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from sigconv.geometry import Geometry
from sigconv.kernels import triton as kernels
from sigconv.kernels.problem import Problem
from sigconv.layout import channels_last
from sigconv.window import Window

pytestmark = pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="no Triton for this system")

CHECKS = "convolution", "pooling", "normalising"


def test_checks_hold_in_the_interpreter() -> None:
    command = [sys.executable, "-m", "pytest", "-p", "no:xdist", "-p", "no:cacheprovider"]
    checks = [str(Path(__file__).with_name(f"test_triton_{of}.py")) for of in CHECKS]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    run = subprocess.run(
        [*command, *checks],
        env=environment | {"TRITON_INTERPRET": "1"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert " passed" in run.stdout


def _problem(operation: str = "forward", channels: int = 8, groups: int = 8, **changes: Any) -> Problem:
    geometry = Geometry(Window.parse(changes.pop("kernel", (3, 3))), changes.pop("size", (9, 9)), groups)
    fields = {"dtype": torch.bfloat16, "device": "cuda", "channels_last": True, "plain": True, "winners": None}
    return Problem(operation, geometry, 2, channels, 2 * channels, **(fields | changes))


@pytest.mark.parametrize(
    "problem",
    [
        _problem(),
        _problem("grad_input"),
        _problem("grad_weight", kernel=(3,), size=(9,), dtype=torch.float16),
        _problem("forward", 3, 1, dtype=torch.float32, kernel=(3, 3, 3), size=(9, 9, 9)),
        _problem("grad_weight", 1, 1, kernel=(400,), size=(16000,)),
        _problem("max_pool"),
        _problem("route", winners=torch.uint8),
    ],
)
def test_supported(problem: Problem) -> None:
    assert kernels.supports(problem)


@pytest.mark.parametrize(
    "problem",
    [
        _problem(groups=2),
        _problem(groups=1),
        _problem(dtype=torch.float64),
        _problem(device="mps"),
        _problem(plain=False),
        _problem(kernel=(1,) * 4, size=(9,) * 4),
        _problem(kernel=(12, 12), size=(99, 99)),
        _problem(size=(1 << 14, 1 << 14)),
        _problem("grad_input", 3, 1),
        _problem("max_pool", kernel=(16, 16), size=(99, 99)),
        _problem("route", winners=torch.int64),
        _problem("sum_pool"),
    ],
)
def test_left_to_others(problem: Problem) -> None:
    assert not kernels.supports(problem)


@pytest.fixture
def _fresh() -> Iterator[None]:
    kernels._runs.cache_clear()
    yield
    kernels._runs.cache_clear()


@pytest.mark.usefixtures("_fresh")
def test_a_gpu_on_which_triton_fails_is_left_to_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(x: torch.Tensor, geometry: Geometry) -> None:
        raise RuntimeError("Failed to find C compiler.\nPlease specify")

    zeros = torch.zeros
    monkeypatch.setattr(torch, "zeros", lambda *size, device: zeros(*size))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (9, 0))
    monkeypatch.setattr("sigconv.kernels.triton.operations.max_pool", fail)
    with pytest.warns(UserWarning, match=r"leaves GPUs to torch, .*: Failed to find C compiler\.$"):
        assert not kernels.supports(_problem())
    assert not kernels.supports(_problem())  # and says so once


@pytest.mark.usefixtures("_fresh")
def test_a_gpu_that_triton_does_not_compile_for_is_left_to_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (7, 5))
    assert not kernels.supports(_problem())


class _Hopper:
    """What Triton asks of a GPU before it starts a kernel. No configuration is faster: it takes the first."""

    def get_current_target(self) -> Any:
        from triton.backends.compiler import GPUTarget

        return GPUTarget("cuda", 90, 32)

    def get_current_device(self) -> int:
        return 0

    def get_current_stream(self, device: int) -> int:
        return 0

    def get_benchmarker(self) -> Any:
        return lambda call, quantiles: [1.0, 1.0, 1.0]


class _Unstarted:
    """Of a compiled kernel what is asked for where there is nothing to run it on."""

    def __getitem__(self, grid: tuple[int, int, int]) -> Callable[..., None]:
        assert all(number >= 1 for number in grid)
        assert len(grid) == 3
        return lambda *arguments: None


@pytest.mark.skipif(
    torch.cuda.is_available() or kernels.DEVICES != ("cuda",), reason="they run for real, or not at all"
)
def test_every_kernel_compiles_for_a_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The interpreter takes programs that the compiler refuses. Nothing is run, and nothing tuned is kept."""
    from triton.runtime import JITFunction, driver

    compiled, run = [], JITFunction.run

    def compile_only(self: Any, *args: Any, grid: Any, warmup: bool, **options: Any) -> Any:
        compiled.append((self.fn.__module__, run(self, *args, grid=grid, warmup=True, **options).metadata.name))
        return _Unstarted()

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(driver, "_active", _Hopper())
    monkeypatch.setattr(JITFunction, "run", compile_only)
    for dtype in (torch.bfloat16, torch.float32):  # of which products of matrices are others
        _convolve_few_channels(dtype)
    _call_all_others()
    assert len(set(compiled)) == 16  # both poolings are one


WINDOW = Window.parse((3, 2), 2, ((1, 0), (0, 1)), (1, 2))


def _convolve_few_channels(dtype: torch.dtype) -> None:
    geometry = Geometry(WINDOW, (8, 9))
    x, w = torch.zeros(2, 1, 8, 9, dtype=dtype), torch.zeros(32, 1, 3, 2, dtype=dtype)
    kernels.forward(x, w, torch.zeros(32, dtype=dtype), geometry)
    kernels.grad_weight(x, torch.zeros(2, 32, *geometry.output_size, dtype=dtype), geometry)


def _call_all_others() -> None:
    dtype = torch.bfloat16
    x, scale = channels_last(torch.zeros(2, 16, 8, 9, dtype=dtype)), torch.zeros(16, dtype=dtype)
    each, all_of_one = Geometry(WINDOW, (8, 9), 16), Geometry(WINDOW, (8, 9))
    w, g = torch.zeros(32, 1, 3, 2, dtype=dtype), torch.zeros(2, 32, *each.output_size, dtype=dtype)
    kernels.forward(x, w, None, each)
    kernels.grad_input(w, g, each)
    kernels.grad_weight(x, g, each)
    y, winner = kernels.rectified_max_pool(x, scale, scale, all_of_one)
    kernels.max_pool(x, all_of_one)
    kernels.route(winner, y, all_of_one)
    kernels.grad_normalised_max_pool(x, winner, y, scale, scale.double(), scale.double(), 1e-5, all_of_one)
    kernels.error_sums(winner, y, all_of_one)
    kernels.normalise(x, scale, scale, 1e-5, True)
    kernels.grad_normalise(x, x, scale, scale, scale.double(), scale.double(), 1e-5, True)
