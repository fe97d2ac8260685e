"""Measuring: the layers, blocks and networks here against torch.nn, side by side in one run."""

from .report import Report
from .run import bench

__all__ = ["Report", "bench"]
