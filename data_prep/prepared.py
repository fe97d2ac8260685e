"""Reuses a corpus that was prepared before."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from data_prep.splits import digest
from sigconv.corpus import Corpus, CorpusInfo, is_free
from sigconv.errors import UsageError


def load_prepared(folder: Path, info: CorpusInfo) -> Corpus | None:
    """The corpus in `folder`, verified if its files may have changed; None if the folder is free for a new one.

    Raises UsageError: what is there is damaged, is not a corpus, or was made by a command other than `info.command`, or
        from other sources than those that are given in `info.sources`, or these are not as in `info.states` any more.
    """
    if is_free(folder):
        return None
    corpus = Corpus.load(folder).verify_changed()
    if corpus.info.command != info.command:
        raise UsageError(
            f"{folder} was made by '{corpus.info.command}', and not by '{info.command}': "
            "delete it, or choose another folder."
        )
    for name, given in info.sources.items():
        if given and (used := corpus.info.sources[name]) != given:
            made = f"with {name} {used}" if used else f"without {name}"
            raise UsageError(
                f"{folder} was made {made}, and not with {name} {given}: "
                f"leave {name} out to take the corpus as it is, or delete it, or choose another folder."
            )
    for name, state in info.states.items():
        if corpus.info.states.get(name, state) != state:
            leave = f"leave {name} out to take the corpus as it is, or " if name in info.sources else ""
            raise UsageError(
                f"The files of {name} (their names, sizes or times) have changed since {folder} was made: "
                f"{leave}delete it, or choose another folder."
            )
    return corpus


def locate(**sources: str | Path | None) -> dict[str, str | None]:
    """The `CorpusInfo.sources` for these: a folder has one name, however it was typed; None for those not given."""
    return {name: str(Path(source).resolve()) if source else None for name, source in sources.items()}


def with_sources(info: CorpusInfo, find: Callable[[Path], Iterable[Path]], **sources: str | Path | None) -> CorpusInfo:
    """`info` with these sources, and with the states of those that are there: in each, `find` finds the raw files."""
    located = locate(**sources)
    there = {name: Path(source) for name, source in located.items() if source and Path(source).exists()}
    return replace(info, sources=located, states={name: file_state(top, find(top)) for name, top in there.items()})


def file_state(root: Path, files: Iterable[Path]) -> str:
    """A hash that changes when one of these files below `root` is added, removed, renamed or written."""
    top = f"{root.as_posix()}/"
    stats = [(path.as_posix().removeprefix(top), path.stat()) for path in files]
    return digest(*(f"{name} {stat.st_size} {stat.st_mtime_ns}" for name, stat in stats))[:16]
