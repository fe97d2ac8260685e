"""Fixtures that many tests share."""

import os
import signal
from pathlib import Path

import pytest
import setuptools  # noqa: F401  (torch's test tools import it, and it must come before anything imports distutils)
import torch

# Tests run in several processes; more threads than cores would only make them wait for each other.
torch.set_num_threads(1)

# Ctrl-C is tested, and ignored by what a shell starts in the background.
signal.signal(signal.SIGINT, signal.default_int_handler)

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"))]


COMPILING = (
    "test_numba.py",
    "test_winograd.py",
    "test_blocks.py",
    "test_fused.py",
    "test_planner.py",
    "test_verification.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """First, and so on one worker, what compiles most kernels: others find them on disk."""
    items.sort(key=lambda item: item.path.name not in COMPILING)


@pytest.fixture(params=DEVICES)
def device(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real recordings beside the checkout; SIGCONV_DATA names another place."""
    folder = Path(os.environ.get("SIGCONV_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real recordings in {folder}")
    return folder
