"""Python and the packages: are they installed, do their versions fit each other, and do they load?"""

import functools
import importlib
import platform
from collections.abc import Iterator

from sigconv.doctor.finding import Finding, Status, reason
from sigconv.doctor.requirements import (
    EXTRA,
    OURS,
    all_requirements,
    fits,
    install,
    installed,
    packaging,
    pip,
    plain,
    reinstall,
    requirements,
)
from sigconv.kernels.compiled import runtime

# Direct and indirect requirements whose compiled parts must fit those of others, which shows only when they are loaded.
# For the rest, the versions say enough, and Lightning alone would take longer to load than all of these.
COMPILED = {
    "torchaudio": "torchaudio",
    "numba": "numba",
    "pyarrow": "pyarrow",
    "opencv-python": "cv2",
    "soundfile": "soundfile",
}

OPTIONAL = {"microphone": "sigconv listen", "landmarks": "mouth=landmarks"}  # extras other than that of the recipes


def python() -> Iterator[Finding]:
    here = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    ours = installed(OURS)
    if ours is None:
        fix = "Nothing tells which versions it needs. In the folder of its pyproject.toml:"
        command = pip("install", "-e", f".[{EXTRA}]")
        yield Finding(Status.NOTE, f"{here}; sigconv runs without being installed", fix, command)
        return
    needed = ours.metadata["Requires-Python"] or ""
    if packaging("specifiers").SpecifierSet(needed).contains(platform.python_version(), prereleases=True):
        yield Finding(Status.OK, f"{here}, sigconv {ours.version}")
    else:
        fix = f"Make an environment with a Python {needed} and install sigconv there."
        yield Finding(Status.BROKEN, f"{here}; sigconv needs {needed}", fix)


def versions() -> Iterator[Finding]:
    """What sigconv itself requires, in a few lines; then each requirement, direct or indirect, that does not fit."""
    present, absent, unmet = _compared()
    if present:
        text = ", ".join(f"{name}\N{NO-BREAK SPACE}{version}" for name, version in present)
        yield Finding(Status.OK, text)
    if absent:
        text = f"not installed, needed by the recipes: {', '.join(absent)}"
        yield Finding(Status.MISSING, text, command=install())
    yield from unmet


def options() -> Iterator[Finding]:
    """Packages that are not installed and that only one feature needs."""
    always = {requirement.name for requirement in requirements(OURS)}
    for extra, what in OPTIONAL.items():
        names = [requirement.name for requirement in requirements(OURS, frozenset({extra}))]
        absent = [name for name in names if name not in always and installed(name) is None]
        if absent:
            text = f"not installed, needed for {what} alone: {', '.join(absent)}"
            yield Finding(Status.NOTE, text, command=install(extra))


@functools.cache
def _compared() -> tuple[list[tuple[str, str]], list[str], list[Finding]]:
    """Names and versions of sigconv's installed requirements, names of its missing ones, and what does not fit."""
    present, absent, unmet = [], [], []
    for owner, requirement in all_requirements():
        found, needs = installed(requirement.name), f"{owner} needs {plain(requirement)}"
        ours = owner == OURS
        if found is None and ours:
            absent.append(requirement.name)
        elif found is None:
            unmet.append(Finding(Status.MISSING, f"{needs}, which is not installed", command=install()))
        elif not fits(requirement, found):
            status = Status.BROKEN if ours else Status.NOTE  # an indirect one may be harmless: loading shows
            unmet.append(Finding(status, f"{needs}; {found.version} is here", command=install()))
        elif ours:
            present.append((requirement.name, found.version))
    return present, absent, unmet


def loading(package: str) -> Iterator[Finding]:
    """No finding if it is not installed: :func:`versions` says so."""
    found = installed(package)
    if found is None:
        return
    error = load_error(package)
    if error is None:
        yield Finding(Status.OK, f"{COMPILED[package]} {found.version} loads")
    else:
        text = f"{COMPILED[package]} {found.version} does not load: {reason(error)}"
        yield Finding(Status.BROKEN, text, *_loading_fix(package))


def _loading_fix(package: str) -> tuple[str, str]:
    torch = installed("torch")
    release, _, build = torch.version.partition("+") if torch else ("", "", "")
    if package == "torchaudio" and build:
        fix = f"It goes with the plain build of torch; here is the build {build!r}. Install the plain one:"
        return fix, pip("install", f"torch==={release}")
    if _compared()[2]:
        return "The versions above may be why:", install()
    return "Reinstall it:", reinstall(package)


def compiled_loops() -> Iterator[Finding]:
    """Without OpenMP everything works, but more slowly, and nothing else would say why."""
    if installed("numba") is None or load_error("numba") is not None:
        return
    if runtime.is_available():
        yield Finding(Status.OK, "Numba runs on OpenMP, so the CPU's kernels can be used")
    else:
        text = "Numba finds no OpenMP: pooling, separate channels and more take as long as in torch"
        yield Finding(Status.NOTE, text, "Install libgomp1 (Debian, Ubuntu), libgomp (Fedora) or llvm-openmp (conda).")


@functools.cache
def load_error(package: str) -> BaseException | None:
    """The exception that loading its module raises, or None."""
    try:
        importlib.import_module(COMPILED[package])
    except (Exception, SystemExit) as error:
        return error
    return None
