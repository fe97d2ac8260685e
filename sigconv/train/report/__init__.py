"""The report of a run: one HTML file that opens anywhere."""

from sigconv.train.report.page import write_report

__all__ = ["write_report"]
