"""Processor, threads and memory."""

import os
from collections.abc import Iterator

import torch

from sigconv.doctor import limits
from sigconv.doctor.finding import GIB, Finding, Status
from sigconv.processor import processor as processor_name
from sigconv.words import plural

ENOUGH_MEMORY = 2 * GIB  # torch and Lightning take about 1 GiB themselves


def processor() -> Iterator[Finding]:
    name = processor_name(limits.PROC / "cpuinfo")
    cores = plural(os.cpu_count() or 1, "core")
    yield Finding(Status.OK, f"{name}, {cores}, {torch.backends.cpu.get_cpu_capability()}")


def threads() -> Iterator[Finding]:
    used, logical, physical = torch.get_num_threads(), limits.usable_cores(), limits.usable_physical_cores()
    text = f"torch computes in {plural(used, 'thread')}; this process may use {plural(logical, 'core')}"
    if physical <= used <= logical:
        yield Finding(Status.OK, text)
        return
    fix = "Threads wait for each other:" if used > logical else "Cores stay idle:"
    yield Finding(Status.NOTE, text, fix, f"export OMP_NUM_THREADS={physical}")


def memory() -> Iterator[Finding]:
    found = limits.memory()
    if found is None:
        yield Finding(Status.NOTE, "this system does not tell how much memory there is")
        return
    total, available = found
    text = f"{available / GIB:.1f} GiB of memory available, of {total / GIB:.1f} GiB"
    if available >= ENOUGH_MEMORY:
        yield Finding(Status.OK, text)
    else:
        fix = f"A recipe wants {ENOUGH_MEMORY / GIB:.0f} GiB: end other programs, or raise the container's limit."
        yield Finding(Status.NOTE, text, fix)
