"""Fixtures that many tests share."""

import gc
import os
import signal
from pathlib import Path

import pytest
import setuptools  # noqa: F401  (torch's test tools import it, and it must come before anything imports distutils)

# Ctrl-C is tested, and ignored by what a shell starts in the background.
signal.signal(signal.SIGINT, signal.default_int_handler)

COMPILING = (
    "test_numba.py",
    "test_winograd.py",
    "test_blocks.py",
    "test_fused.py",
    "test_planner.py",
    "test_verification.py",
)
WITHOUT_KERNELS = {"ctc", "data_prep", "signals", "test_corpus.py", "test_doctor.py"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """First what compiles most kernels; from the middle on, where the second of two workers begins, what needs none.

    So one compiles, and the other, when it comes to the rest, finds it all on disk.
    """
    compiling = [item for item in items if item.path.name in COMPILING]
    without = [item for item in items if {*Path(item.nodeid.partition("::")[0]).parts} & WITHOUT_KERNELS]
    placed = {*compiling, *without}
    rest = [item for item in items if item not in placed]
    before = max(0, len(items) // 2 - len(compiling))
    items[:] = [*compiling, *rest[:before], *without, *rest[before:]]


def pytest_collection_finish() -> None:
    """In each process that runs tests; the one that only starts these and counts does without torch."""
    import torch

    torch.set_num_threads(1)  # more threads than cores would only make the processes wait for each other
    gc.freeze()  # what all tests import stays: a collection, as before each timing, need not go through it again


@pytest.fixture(params=["cpu", "cuda"])
def device(request: pytest.FixtureRequest) -> str:
    import torch

    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("no GPU")
    return request.param


@pytest.fixture(autouse=True)
def _seed() -> None:
    import torch

    # By each generator for itself: for a GPU that is not in use yet, torch.manual_seed writes down a whole stack.
    torch.default_generator.manual_seed(0)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(0)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real recordings beside the checkout; SIGCONV_DATA names another place."""
    folder = Path(os.environ.get("SIGCONV_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real recordings in {folder}")
    return folder
