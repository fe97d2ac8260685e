"""Measuring: the layers, blocks and networks here against torch.nn, side by side in one run."""

from sigconv.bench.report import Report
from sigconv.bench.run import bench

__all__ = ["Report", "bench"]
