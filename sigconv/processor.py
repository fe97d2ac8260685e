"""The names of the CPU and the GPU that compute."""

from __future__ import annotations

import platform
from pathlib import Path

import torch


def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """The name of the CPU as the operating system reports it."""
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def device_name(device: torch.device) -> str:
    """The name of the CPU or the GPU."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else processor()


def threads(count: int) -> str:
    """Such as "1 thread" or "4 threads"."""
    return f"{count} thread" + "s" * (count != 1)
