"""Convolution for signals of any dimension, with verified backward passes."""

from sigconv import functional, layers
from sigconv.convert import channels_last, convert
from sigconv.errors import UsageError
from sigconv.layers import *  # noqa: F403
from sigconv.planned import plan
from sigconv.planner import use_kernel
from sigconv.verification import verify

__all__ = [
    "UsageError",
    "channels_last",
    "convert",
    "functional",
    "layers",
    "plan",
    "use_kernel",
    "verify",
    *layers.__all__,
]
