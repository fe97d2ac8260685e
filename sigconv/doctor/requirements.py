"""The requirements that the installed packages declare, and the commands that install them here."""

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
        if found.metadata["Version"]:  # else it is left over from an interrupted installation
            return found
    return None


def all_requirements() -> Iterator[tuple[str, Any]]:
    """(owner, requirement) for sigconv with its recipes, then for all their direct and indirect dependencies."""
    waiting = [(OURS, frozenset({EXTRA}))]
    for owner, extras in waiting:
        for requirement in requirements(owner, extras):
            yield owner, requirement
            below = (requirement.name, frozenset(requirement.extras))
            if below not in waiting:
                waiting.append(below)


def requirements(owner: str, extras: frozenset[str] = frozenset()) -> Iterator[Any]:
    """Each ``packaging.requirements.Requirement`` of an installed package and its extras that applies here."""
    found = installed(owner)
    for line in (found.requires if found else None) or ():
        requirement = packaging("requirements").Requirement(line)
        if not requirement.marker or any(requirement.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            yield requirement


def fits(requirement: Any, found: Distribution) -> bool:
    try:
        return requirement.specifier.contains(found.version, prereleases=True)
    except ValueError:  # not a valid version
        return False


def plain(requirement: Any) -> str:
    """The requirement without its marker, the minimum version first: "opencv-python>=4.10,<5"."""
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    return f"{requirement.name}{extras}{','.join(sorted(map(str, requirement.specifier), reverse=True))}"


def wanted(package: str) -> str:
    """The package, with the version range that sigconv requires, if it states one."""
    ours = {requirement.name: plain(requirement) for requirement in requirements(OURS, frozenset({EXTRA}))}
    return ours.get(package, package)


def pip(command: str, *arguments: str) -> str:
    """The command line that makes pip, or uv where there is no pip, do this in the current environment."""
    found = shutil.which("python")
    ours = found is not None and Path(found).parent == Path(sys.executable).parent
    interpreter = "python" if ours else sys.executable
    if importlib.util.find_spec("pip"):
        return shlex.join([interpreter, "-m", "pip", command, *arguments])
    return shlex.join(["uv", "pip", command, "--python", interpreter, *arguments])


def install(extra: str = EXTRA) -> str:
    """The command that brings all packages and their dependencies, those installed too, to versions that fit."""
    return pip("install", f"{OURS}[{extra}]")


def reinstall(package: str) -> str:
    return pip("install", "--force-reinstall", "--no-deps", wanted(package))


def packaging(part: str) -> ModuleType:
    """A module of packaging, or of the copy inside pip or setuptools: torch requires setuptools, but not packaging."""
    for home in ("", "pip._vendor.", "setuptools._vendor."):
        try:
            return importlib.import_module(f"{home}packaging.{part}")
        except ImportError:
            continue
    raise ImportError("there is no package packaging to compare versions with")
