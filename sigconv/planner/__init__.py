"""Which kernel computes an operation, and why.

:mod:`choice` takes the first of the measured :mod:`rules` that applies; :mod:`native` says where torch's own autograd
serves, and :mod:`fusion` where one kernel of ours takes several steps. :mod:`sigconv.planned` says it all in words.
"""

from sigconv.planner.choice import KERNELS, Choice, choose, is_forced, kernel, observed, use_kernel
from sigconv.planner.fusion import has_fused_pool, has_gradients_of_winners, is_ours, normalises, rectifies
from sigconv.planner.native import is_native, is_native_pooling, is_native_transposed

__all__ = [
    "KERNELS",
    "Choice",
    "choose",
    "has_fused_pool",
    "has_gradients_of_winners",
    "is_forced",
    "is_native",
    "is_native_pooling",
    "is_native_transposed",
    "is_ours",
    "kernel",
    "normalises",
    "observed",
    "rectifies",
    "use_kernel",
]
