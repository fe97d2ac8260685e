"""Convolution for signals of any dimension, with verified backward passes."""

from . import functional, layers
from .convert import convert
from .errors import UsageError
from .layers import *  # noqa: F403
from .planned import plan
from .planner import use_kernel
from .verification import verify

__all__ = ["UsageError", "convert", "functional", "layers", "plan", "use_kernel", "verify", *layers.__all__]
