"""Running the measurements."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch

from sigconv import backends
from sigconv.bench.case import Case, Suite
from sigconv.bench.contestant import Contestant, Setting, compiled, contestants
from sigconv.bench.equal import DifferentError, check_equal
from sigconv.bench.machine import Machine
from sigconv.bench.report import Report
from sigconv.bench.result import FORWARD, PASSES, STEP, Figures, Result
from sigconv.bench.roofline import count_work, measure_rates
from sigconv.bench.saved import saved_bytes
from sigconv.bench.suites import SUITES
from sigconv.clock import idle, interleaved
from sigconv.errors import first_line
from sigconv.names import named

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def bench(
    suites: Sequence[str] = (),
    device: torch.device | str = "cpu",
    dtype: str = "float32",
    *,
    threads: int | None = None,
    compiles: bool = True,
    keep_memory: bool = False,
    progress: Callable[[str], None] = lambda doing: None,
    keep: Callable[[Report], None] = lambda so_far: None,
) -> Report:
    """Measure the cases of ``suites``, all of :data:`SUITES` if none is named; Ctrl-C ends it with what is measured.

    Args:
        threads: how many threads torch uses; its own number if None.
        compiles: whether torch.compile takes part, which needs a C++ compiler, and takes minutes.
        keep_memory: whether to call :func:`sigconv.backends.keep_freed_memory`, which changes the process for good.
        progress: is told what comes next.
        keep: gets the report before the first case and after each, so that killing the process loses only one case.
    """
    setting = Setting(torch.device(device), named("dtype", dtype, DTYPES), compiles)
    chosen = [named("suite", name, SUITES).on(setting.device) for name in suites or SUITES]
    kept = keep_memory and backends.keep_freed_memory()
    with _threads(threads), torch.random.fork_rng([setting.device] if setting.device.type == "cuda" else []):
        progress("the machine's rates")
        report = Report(Machine.here(setting, kept, measure_rates(setting, idle(setting.device))))
        try:
            for place, suite, case in _numbered(chosen):
                keep(report)
                progress(f"{place}: {case.name}")
                _add(report, suite, case, setting)
        except KeyboardInterrupt:
            wanted = sum(len(suite.cases) for suite in chosen)
            report.note(f"Interrupted: {len(report.results)} of {wanted} cases are measured.")
        keep(report)
    return report


def measure(suite: Suite, case: Case, setting: Setting, note: Callable[[str], None]) -> Result:
    """Measure a case. Raises DifferentError if contestants compute different things; ``note`` gets what is left out."""
    torch.manual_seed(0)
    taking_part = contestants(case, suite, setting)
    plain = taking_part[0]
    check_equal(case, plain, taking_part[1:])
    if setting.compiles:
        taking_part += _compiled(plain, case, note)
    forward, step = count_work(plain)
    saved = {c.name: saved_bytes(c) for c in taking_part}
    calls = {FORWARD: {c.name: c.forward for c in taking_part}, STEP: {c.name: c.step for c in taking_part}}
    wait = idle(setting.device)
    times = {timed: interleaved(calls[timed], suite.seconds / len(PASSES), wait) for timed in PASSES}
    figures = {name: Figures({timed: times[timed][name] for timed in PASSES}, saved[name]) for name in saved}
    work = {FORWARD: forward, STEP: step}
    return Result(suite.name, case.name, case.kind, case.shape, case.first, figures, work)


def _add(report: Report, suite: Suite, case: Case, setting: Setting) -> None:
    try:
        report.results.append(measure(suite, case, setting, report.note))
    except DifferentError as error:
        report.wrong.append(f"{suite.name}, {case.name}: {error}")


def _compiled(plain: Contestant, case: Case, note: Callable[[str], None]) -> list[Contestant]:
    try:
        contestant = compiled(plain, case)
        check_equal(case, plain, [contestant])
    except DifferentError as error:  # the compiler's fault, not ours
        note(f"torch.compile is left out of {case.name}: {error}")
    except Exception as error:  # from the compiler, its compiler, or a library they miss: of any kind
        note(f"torch.compile is left out where it fails: {first_line(error)}")
    else:
        return [contestant]
    return []


def _numbered(suites: Sequence[Suite]) -> Iterator[tuple[str, Suite, Case]]:
    for suite in suites:
        for number, case in enumerate(suite.cases, start=1):
            yield f"{suite.name}, {number} of {len(suite.cases)}", suite, case


@contextmanager
def _threads(number: int | None) -> Iterator[None]:
    before = torch.get_num_threads()
    if number is not None:
        torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
