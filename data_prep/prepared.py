"""Reuses a corpus that was prepared before."""

from collections.abc import Mapping
from pathlib import Path

from sigconv.corpus import Corpus, CorpusInfo, is_free
from sigconv.errors import UsageError


def load_prepared(folder: Path, info: CorpusInfo) -> Corpus | None:
    """The corpus in `folder`, verified if its files may have changed; None if the folder is free for a new one.

    Raises UsageError: what is there is damaged, is not a corpus, or was made by a command other than `info.command`, or
        from other sources than those that are given in `info.sources`.
    """
    if is_free(folder):
        return None
    corpus = Corpus.load(folder).verify_changed()
    command, sources = _made_by(corpus.info)
    if command != info.command:
        raise UsageError(
            f"{folder} was made by '{corpus.info.command}', and not by '{info.command}': "
            "delete it, or choose another folder."
        )
    for name, given in info.sources.items():
        used = sources.get(name, given)  # unknown in a corpus of earlier versions
        if given and used != given:
            made = f"with {name} {used}" if used else f"without {name}"
            raise UsageError(
                f"{folder} was made {made}, and not with {name} {given}: "
                f"leave {name} out to take the corpus as it is, or delete it, or choose another folder."
            )
    return corpus


def locate(**sources: str | Path | None) -> dict[str, str | None]:
    """The `CorpusInfo.sources` for these: a folder has one name, however it was typed; None for those not given."""
    return {name: str(Path(source).resolve()) if source else None for name, source in sources.items()}


def _made_by(info: CorpusInfo) -> tuple[str, Mapping[str, str | None]]:
    """A corpus' command and sources. In earlier versions, glyphs.py wrote its source into the command."""
    command, _, source = info.command.partition(" --source ")
    return command, locate(source=source) if source else info.sources
