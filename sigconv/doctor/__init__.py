"""What this machine has for sigconv, and the fix for each thing that it lacks.

Works where torch alone is installed: that is when it is needed most.
"""

from sigconv.doctor.finding import Finding, Status
from sigconv.doctor.report import format_findings
from sigconv.doctor.sandbox import examine

__all__ = ["Finding", "Status", "examine", "format_findings", "main"]


def main() -> int:
    """Print the report; 1 where something is broken, else 0."""
    findings = examine()
    print(format_findings(findings))
    return int(any(finding.fatal for finding in findings))
