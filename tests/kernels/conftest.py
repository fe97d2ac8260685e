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
