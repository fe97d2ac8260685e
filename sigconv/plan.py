"""Which kernel computes an operation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from .errors import UsageError
from .kernels import reference, vendor
from .window import Geometry

KERNELS = {"vendor": vendor, "reference": reference}

_forced: str | None = None


def kernel(operation: str, geometry: Geometry) -> Callable[..., Any]:
    """The function that computes ``operation``."""
    wanted_vendor = _forced in (None, "vendor")
    module = vendor if wanted_vendor and vendor.supports(operation, geometry) else reference
    return getattr(module, operation)


@contextmanager
def use_kernel(name: str) -> Iterator[None]:
    """Within this context every operation that the kernel ``name`` supports is computed by it."""
    global _forced
    if name not in KERNELS:
        raise UsageError(f"there is no kernel {name!r}; the kernels are {', '.join(KERNELS)}")
    before, _forced = _forced, name
    try:
        yield
    finally:
        _forced = before
