"""The CPU and the GPU that compute: their names, and what is known of the CPU."""

import functools
import platform
from pathlib import Path

import torch

CPUINFO = Path("/proc/cpuinfo")


def processor(cpuinfo: Path = CPUINFO) -> str:
    """The name of the CPU as the operating system reports it."""
    names = [line.partition(":")[2].strip() for line in _read(cpuinfo).splitlines() if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


@functools.cache
def is_amd() -> bool:
    return "AuthenticAMD" in _read(CPUINFO)


def has_avx2_alone() -> bool:
    """Whether torch uses vectors of 256 bits on this processor, and none that are longer."""
    return torch.backends.cpu.get_cpu_capability() == "AVX2"


def device_name(device: torch.device) -> str:
    """The name of the CPU or the GPU."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else processor()


def _read(cpuinfo: Path) -> str:
    try:
        return cpuinfo.read_text()
    except OSError:  # not Linux
        return ""
