"""On which machine, and how, a run was measured."""

from dataclasses import dataclass
from datetime import date

import torch

from sigconv.bench.contestant import Setting
from sigconv.bench.roofline import Rates
from sigconv.processor import device_name
from sigconv.words import plural


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
    def here(cls, setting: Setting, keeps_memory: bool, rates: Rates) -> "Machine":
        return cls(
            device_name(setting.device),
            torch.get_num_threads(),
            torch.__version__,
            date.today().isoformat(),
            str(setting.dtype).removeprefix("torch."),
            keeps_memory,
            rates,
        )

    def __str__(self) -> str:
        where = f"{self.processor}, {plural(self.threads, 'thread')}"
        kept = "freed memory is kept" if self.keeps_memory else "memory as the system's C library has it"
        return (
            f"{where}, torch {self.torch}, {self.dtype}, {self.date}; {kept}; products at "
            f"{self.rates.flops / 1e9:,.0f} GFLOP/s, copies at {self.rates.bandwidth / 1e9:,.1f} GB/s"
        )
