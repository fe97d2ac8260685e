"""Reuses a corpus that was prepared before."""

from pathlib import Path

from sigconv.corpus import Corpus, CorpusInfo, is_free
from sigconv.errors import UsageError


def load_prepared(folder: Path, info: CorpusInfo) -> Corpus | None:
    """The corpus in `folder`, verified if its files may have changed; None if the folder is free for a new one.

    Raises UsageError: what is there is damaged, is not a corpus, or was made by a command other than `info.command`.
    """
    if is_free(folder):
        return None
    corpus = Corpus.load(folder).verify_changed()
    if corpus.info.command != info.command:
        raise UsageError(
            f"{folder} was made by '{corpus.info.command}', and not by '{info.command}': "
            "delete it, or choose another folder."
        )
    return corpus
