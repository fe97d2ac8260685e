"""Memory is kept where the C library can be told to, and asked of nobody else."""

import subprocess
import sys

import pytest

from sigconv import memory

# Frees and asks for 64 MB ten times; says how often pages had to be mapped, without and with it.
PROGRAM = """
import resource, torch
from sigconv.memory import keep_freed_memory

def faults():
    torch.ones(1 << 24)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        torch.ones(1 << 24)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

print(faults(), keep_freed_memory(), faults())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="no glibc")
def test_what_is_freed_is_used_again() -> None:
    found = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    plain, done, kept = found.stdout.split()
    if done == "False":
        pytest.skip("another C library")
    assert int(kept) < int(plain) / 10


def test_elsewhere_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sigconv.memory.sys.platform", "darwin")
    monkeypatch.setattr(memory.ctypes, "CDLL", None)  # would be called
    assert memory.keep_freed_memory() is False


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sigconv.memory.sys.platform", "linux")
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: object())
    assert memory.keep_freed_memory() is False
