"""What the installed packages say that they need, and the command that installs it here."""

from __future__ import annotations

import importlib
import importlib.util
import shlex
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from types import ModuleType
from typing import Any

OURS = "sigconv"
EXTRA = "recipes"
# Other builds of the same module.
BUILDS = {
    "opencv-python": ("opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless"),
}


def installed(package: str) -> Distribution | None:
    for name in (package, *BUILDS.get(package, ())):
        try:
            found = distribution(name)
        except PackageNotFoundError:
            continue
        if found.metadata["Version"]:  # else it is what an interrupted installation left
            return found
    return None


def all_requirements() -> Iterator[tuple[str, Any]]:
    """(who needs it, the requirement) of sigconv with its recipes, then of all installed packages below them."""
    waiting = [(OURS, frozenset({EXTRA}))]
    for owner, extras in waiting:
        for requirement in requirements(owner, extras):
            yield owner, requirement
            below = (requirement.name, frozenset(requirement.extras))
            if below not in waiting:
                waiting.append(below)


def requirements(owner: str, extras: frozenset[str] = frozenset()) -> Iterator[Any]:
    """The ``packaging.requirements.Requirement`` of an installed package and its extras that hold on this machine."""
    found = installed(owner)
    for line in (found.requires if found else None) or ():
        requirement = packaging("requirements").Requirement(line)
        if not requirement.marker or any(requirement.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            yield requirement


def fits(requirement: Any, found: Distribution) -> bool:
    try:
        return requirement.specifier.contains(found.version, prereleases=True)
    except ValueError:  # a version that is none
        return False


def plain(requirement: Any) -> str:
    """Without its marker, the least version first: "opencv-python>=4.10,<5"."""
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    return f"{requirement.name}{extras}{','.join(sorted(map(str, requirement.specifier), reverse=True))}"


def wanted(package: str) -> str:
    """The package, with the versions of it that sigconv needs if it says which."""
    ours = {requirement.name: plain(requirement) for requirement in requirements(OURS, frozenset({EXTRA}))}
    return ours.get(package, package)


def pip(command: str, *arguments: str) -> str:
    """The command line by which pip, or uv where there is no pip, does it in this very environment."""
    found = shutil.which("python")
    ours = found is not None and Path(found).parent == Path(sys.executable).parent
    interpreter = "python" if ours else sys.executable
    if importlib.util.find_spec("pip"):
        return shlex.join([interpreter, "-m", "pip", command, *arguments])
    return shlex.join(["uv", "pip", command, "--python", interpreter, *arguments])


def install(extra: str = EXTRA) -> str:
    """Brings every package, and those below, to versions that fit each other: it looks at what is installed too."""
    return pip("install", f"{OURS}[{extra}]")


def reinstall(package: str) -> str:
    return pip("install", "--force-reinstall", "--no-deps", wanted(package))


def packaging(part: str) -> ModuleType:
    """packaging, or the copy inside pip or setuptools: torch alone brings setuptools, but not packaging."""
    for home in ("", "pip._vendor.", "setuptools._vendor."):
        try:
            return importlib.import_module(f"{home}packaging.{part}")
        except ImportError:
            continue
    raise ImportError("there is no package packaging to compare versions with")
