"""What the results of a run depend on besides its config."""

import platform
import resource
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from sigconv.processor import device_name

PACKAGES = ("sigconv", "torch", "torchaudio", "lightning", "torchmetrics", "hydra-core", "numpy")


def environment(device: torch.device) -> dict[str, Any]:
    """Software versions, device, commit and peak memory."""
    return {
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "system": platform.platform(),
        "device": device_name(device),
        "threads": torch.get_num_threads(),
        "commit": _commit(),
        "peak_memory_mb": peak_memory(device),
    }


def peak_memory(device: torch.device) -> dict[str, float]:
    """Peak memory in MB of the process and, if it trained on one, of the GPU."""
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in bytes on macOS, in KiB elsewhere
    peak = {"process": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6, 1)}
    if device.type == "cuda":
        peak["gpu"] = round(torch.cuda.max_memory_allocated(device) / 1e6, 1)
    return peak


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _commit() -> str | None:
    """The commit of the checkout that sigconv runs from, marked if it has changes; None outside a checkout."""
    here = Path(__file__)

    def git(*words: str) -> str:
        command = ["git", "-C", str(here.parent), *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", here.name)  # an installed package may lie within another project's checkout
        return git("describe", "--always", "--dirty", "--abbrev=12", "--exclude=*")
    except (OSError, subprocess.SubprocessError):
        return None
