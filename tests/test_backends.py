"""Memory is kept where the C library can be told to, and asked of nobody else."""

import subprocess
import sys

import pytest

from sigconv import backends

# Frees and asks for 32 MB four times; says how often pages had to be mapped, without and with it. What the process
# keeps has its final size behind ten or so of these.
PROGRAM = """
import resource, torch
from sigconv.backends import keep_freed_memory

def faults():
    for _ in range(12):
        torch.ones(1 << 23)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(4):
        torch.ones(1 << 23)
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
    monkeypatch.setattr("sigconv.backends.sys.platform", "darwin")
    monkeypatch.setattr(backends.ctypes, "CDLL", None)  # would be called
    assert backends.keep_freed_memory() is False


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sigconv.backends.sys.platform", "linux")
    monkeypatch.setattr(backends.ctypes, "CDLL", lambda name: object())
    assert backends.keep_freed_memory() is False


def test_only_recipes_turn_switches_on() -> None:
    assert backends.linear_by_onednn is False
