"""Examines what this machine offers sigconv, and gives the fix for whatever it lacks.

Works with nothing but torch installed: that is when it is needed most.
"""

from sigconv.doctor.finding import Finding, Status
from sigconv.doctor.report import format_findings
from sigconv.doctor.sandbox import examine

__all__ = ["Finding", "Status", "examine", "format_findings", "main"]


def main() -> int:
    """Print the report; return 1 if something is broken, else 0."""
    findings = examine()
    print(format_findings(findings))
    return int(any(finding.fatal for finding in findings))
