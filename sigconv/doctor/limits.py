"""The cores and memory that this process may use: in a container or a batch job, less than the machine has."""

import contextlib
import math
import os
from collections.abc import Iterator
from pathlib import Path

PROC = Path("/proc")
SYS = Path("/sys")


def usable_cores() -> int:
    """Logical cores that the process's affinity and its control groups' quotas allow."""
    cores = len(_affinity())
    return min([cores, *(max(1, math.ceil(quota)) for quota in _cpu_quotas())])


def usable_physical_cores() -> int:
    """As :func:`usable_cores`, but with the hardware threads of one core counted once."""
    siblings = (SYS / f"devices/system/cpu/cpu{number}/topology/thread_siblings_list" for number in _affinity())
    cores = {tuple(_words(file)) or (file,) for file in siblings}
    return min(len(cores), usable_cores())


def memory() -> tuple[int, int] | None:
    """Total and available bytes, at most what the control groups allow; None where the system does not report them."""
    told = {words[0]: int(words[1]) * 1024 for words in map(str.split, lines(PROC / "meminfo")) if len(words) > 1}
    if "MemTotal:" not in told:
        return None
    total = min([told["MemTotal:"], *_memory_limits()])
    return total, min(total, told.get("MemAvailable:", total))


def _affinity() -> set[int]:
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


def _cpu_quotas() -> Iterator[float]:
    for group in _control_groups("cpu"):
        words = _words(group / "cpu.max") or _words(group / "cpu.cfs_quota_us") + _words(group / "cpu.cfs_period_us")
        if len(words) == 2 and words[0] not in ("max", "-1"):
            yield int(words[0]) / int(words[1])


def _memory_limits() -> Iterator[int]:
    for group in _control_groups("memory"):
        for word in _words(group / "memory.max") + _words(group / "memory.limit_in_bytes"):
            if word != "max":
                yield int(word)


def _control_groups(controller: str) -> Iterator[Path]:
    """The folders of this process's control group and of its ancestors, for versions 1 and 2 of cgroups."""
    for line in lines(PROC / "self/cgroup"):
        _, controllers, path = line.split(":", 2)
        root = SYS / "fs/cgroup"
        if controllers:
            if controller not in controllers.split(","):
                continue
            root /= controller
        group = root / path.strip("/")
        yield group
        # In a container the path may be the host's, so that only the root exists.
        yield from (folder for folder in group.parents if folder.is_relative_to(root))


def lines(file: Path) -> list[str]:
    with contextlib.suppress(OSError):
        return file.read_text().splitlines()
    return []


def _words(file: Path) -> list[str]:
    return " ".join(lines(file)).split()
