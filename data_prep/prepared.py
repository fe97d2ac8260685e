"""A corpus that was made before is not made again."""

from pathlib import Path

from sigconv.corpus import Corpus, CorpusInfo, is_free
from sigconv.errors import UsageError


def load_prepared(folder: Path, info: CorpusInfo) -> Corpus | None:
    """The corpus that stands in `folder` already, checked; None where there is room for a new one.

    Raises UsageError: what is there is damaged, is no corpus, or was made by another command than `info.command`.
    """
    if is_free(folder):
        return None
    corpus = Corpus.load(folder).verify()
    if corpus.info.command != info.command:
        raise UsageError(
            f"{folder} was made by '{corpus.info.command}', and not by '{info.command}': "
            "delete it, or choose another folder."
        )
    return corpus
