"""GPUs: does one of our convolutions run on them, with the same result as on the CPU?"""

import os
import shutil
from collections.abc import Iterator

import torch
from torch import Tensor

from sigconv import functional
from sigconv.doctor import limits
from sigconv.doctor.finding import GIB, Finding, Status, reason
from sigconv.doctor.requirements import pip


def gpus() -> Iterator[Finding]:
    """Having no GPU is not a fault, but if there is a driver, the finding says why there is none."""
    if torch.cuda.is_available():
        yield from map(_examine, range(torch.cuda.device_count()))
    elif _has_driver():
        yield _unused()
    else:
        yield Finding(Status.OK, "no GPU: there is no NVIDIA driver here, so everything runs on the CPU")


def _examine(index: int) -> Finding:
    properties = torch.cuda.get_device_properties(index)
    text = f"cuda:{index} {properties.name}, compute capability {properties.major}.{properties.minor}"
    try:
        free, total = torch.cuda.mem_get_info(index)
        text += f", {free / GIB:.1f} of {total / GIB:.1f} GiB free"
        right = all(map(_close, _convolution(f"cuda:{index}"), _convolution("cpu")))
    except (RuntimeError, AssertionError) as error:
        return Finding(Status.BROKEN, f"{text}: a convolution fails, {reason(error)}", *_cure(error))
    if right:
        return Finding(Status.OK, f"{text}; a convolution and its gradients come out as on the CPU")
    text += ": a convolution does not come out as on the CPU"
    return Finding(Status.BROKEN, text, "Trust nothing that it computes. The details:", "sigconv verify --device cuda")


def _cure(error: Exception) -> tuple[str, str]:
    if isinstance(error, torch.cuda.OutOfMemoryError):
        return "Other programs fill its memory. Which they are:", "nvidia-smi"
    if "no kernel image" in str(error):
        kernels = ", ".join(torch.cuda.get_arch_list())
        return f"This torch computes on {kernels} only. Use another GPU, or the CPU by trainer=cpu.", ""
    return "Restart the machine, then update the GPU's driver. Until it works, use the CPU by trainer=cpu.", ""


def _convolution(device: str) -> list[Tensor]:
    """The result and both gradients, computed on integers, so that any error is at least 1."""
    generator = torch.Generator().manual_seed(0)
    x, weight = (
        torch.randint(-3, 4, shape, generator=generator).float().to(device).requires_grad_()
        for shape in ((2, 4, 16, 16), (8, 4, 3, 3))
    )
    y = functional.conv(x, weight, padding=1)
    return [t.detach().cpu() for t in (y, *torch.autograd.grad(y, (x, weight), y.detach().sign()))]


def _close(found: Tensor, expected: Tensor) -> bool:
    return torch.allclose(found, expected, rtol=0, atol=0.1)


def _has_driver() -> bool:
    return (limits.PROC / "driver/nvidia/version").exists() or shutil.which("nvidia-smi") is not None


def _unused() -> Finding:
    if torch.version.cuda is None:
        release, _, _ = torch.__version__.partition("+")
        text = f"torch {torch.__version__} is built without CUDA, though there is an NVIDIA driver"
        return Finding(
            Status.NOTE, text, "To use its GPU, install the plain build:", pip("install", f"torch==={release}")
        )
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
    if hidden in ("", "-1"):
        text = f"no GPU: CUDA_VISIBLE_DEVICES={hidden!r} hides them"
        return Finding(Status.NOTE, text, "To use them:", "unset CUDA_VISIBLE_DEVICES")
    try:
        torch.cuda.init()
        why = "the driver lists none"
    except Exception as error:
        why = reason(error)
    text = f"no GPU, though there is an NVIDIA driver: {why}"
    fix = f"torch {torch.__version__} wants a driver for CUDA {torch.version.cuda}. What the driver itself says:"
    return Finding(Status.NOTE, text, fix, "nvidia-smi")
