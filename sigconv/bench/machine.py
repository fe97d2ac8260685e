"""On what, and how, was measured."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import torch

from .contestant import Setting
from .roofline import Rates


@dataclass(frozen=True)
class Machine:
    processor: str
    threads: int
    torch: str
    date: str
    dtype: str
    keeps_memory: bool
    rates: Rates

    @classmethod
    def here(cls, setting: Setting, keeps_memory: bool, rates: Rates) -> Machine:
        return cls(
            processor(setting.device),
            torch.get_num_threads(),
            torch.__version__,
            date.today().isoformat(),
            str(setting.dtype).removeprefix("torch."),
            keeps_memory,
            rates,
        )

    def __str__(self) -> str:
        threads = f"{self.threads} thread" + "s" * (self.threads != 1)
        kept = "freed memory is kept" if self.keeps_memory else "memory as the system's C library has it"
        return (
            f"{self.processor}, {threads}, torch {self.torch}, {self.dtype}, {self.date}; {kept}; products at "
            f"{self.rates.flops / 1e9:,.0f} GFLOP/s, copies at {self.rates.bandwidth / 1e9:,.1f} GB/s"
        )


def processor(device: torch.device) -> str:
    """Its name, as the system has it."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
