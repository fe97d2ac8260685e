"""Fixtures that tests of kernels share."""

import os

import pytest
import torch

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
TRITON_DEVICES = [
    pytest.param("cpu", marks=pytest.mark.skipif(not INTERPRETED, reason="test_triton.py has the interpreter run it")),
    pytest.param("cuda", marks=pytest.mark.skipif(INTERPRETED or not torch.cuda.is_available(), reason="no GPU")),
]


@pytest.fixture(params=TRITON_DEVICES)
def triton_device(request: pytest.FixtureRequest) -> str:
    """Where Triton's kernels run: on a GPU, or on the CPU if Triton interprets them."""
    return request.param


@pytest.fixture(scope="session", autouse=INTERPRETED)
def _unchecked_sums() -> None:
    """Looking for overflows takes half of the interpreter's time, and there are none at sizes as small as here."""
    from triton.runtime import interpreter

    interpreter.interpreter_builder.options = interpreter.InterpreterOptions(sanitize_overflow=False)


@pytest.fixture(scope="session", autouse=not INTERPRETED and torch.cuda.is_available())
def _untuned() -> None:
    """On a GPU, the first configuration: to compile and measure all for every window that is drawn would take hours."""
    from sigconv.kernels.triton import depthwise, few_channels, pooling, routing
    from sigconv.kernels.triton.tuning import Kernel

    for module in (depthwise, few_channels, pooling, routing):
        for kernel in vars(module).values():
            if isinstance(kernel, Kernel):
                del kernel._tuner.configs[1:]
