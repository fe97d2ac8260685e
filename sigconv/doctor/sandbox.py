"""Runs examinations in a separate process: one that crashes or hangs costs only its own finding."""

import json
import os
import pkgutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sigconv.doctor.finding import Examination, Finding, Status

TABLE = "sigconv.doctor.examinations:EXAMINATIONS"
LIMIT = 120.0  # a first import from a slow network disk takes a minute


def examine(table: str = TABLE, limit: float = LIMIT) -> list[Finding]:
    """Run all examinations; takes some seconds and never raises because of what it finds.

    Args:
        table: "module:name" of a sequence of :class:`Examination`.
        limit: seconds after which examinations that have not finished are abandoned.
    """
    waiting: Sequence[Examination] = pkgutil.resolve_name(table)
    findings: list[Finding] = []
    while waiting:
        reports, ending = _answers(table, len(waiting), limit)
        if not reports:
            fix = "Without it nothing can be looked at. Reinstall Python and sigconv."
            return [*findings, Finding(Status.BROKEN, f"it does not start from here: {ending}", fix, topic="Python")]
        finished = reports[1:]  # the first only says that it started
        findings += [Finding(**told | {"status": Status(told["status"])}) for report in finished for told in report]
        waiting = waiting[len(finished) :]
        if waiting:
            findings.append(waiting[0].failed(ending))
            waiting = waiting[1:]
    return findings


def serve(table: str, last: int) -> None:
    """In the other process: print a line of JSON at the start, then one for each of the final ``last`` examinations."""
    # Whatever libraries print must not get in between.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as channel:
        os.dup2(2, 1)
        print("[]", file=channel, flush=True)
        for examination in pkgutil.resolve_name(table)[-last:]:
            print(json.dumps([asdict(found) for found in examination.findings()]), file=channel, flush=True)


def _answers(table: str, last: int, limit: float) -> tuple[list[list[dict[str, Any]]], str]:
    """The lines of :func:`serve`, and how it ended."""
    # Without -P a file in the current folder could shadow a package.
    command = [sys.executable, "-P", "-c", f"from {__name__} import serve; serve({table!r}, {last})"]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=limit)
        output, ending = done.stdout, _ending(done)
    except subprocess.TimeoutExpired as expired:
        output, ending = expired.stdout or b"", f"no answer within {limit:g} s"
    except OSError as error:
        output, ending = b"", str(error)
    whole, _, _ = output.decode().rpartition("\n")
    return [json.loads(line) for line in whole.splitlines()], ending


def _ending(done: subprocess.CompletedProcess[bytes]) -> str:
    if done.returncode < 0:
        return f"it ends the process by {signal.Signals(-done.returncode).name}"
    said = done.stderr.decode(errors="replace").strip().splitlines()
    return f"it ends the process with exit status {done.returncode}" + (f", {said[-1]}" if said else "")
