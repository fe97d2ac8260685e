"""Classes of which a split of a corpus has no example."""

import typer

from data_prep.splits import SPLITS
from sigconv.corpus import Corpus
from sigconv.words import first_few


def tell_missing(corpus: Corpus) -> Corpus:
    """The corpus; prints which classes a split lacks, and so are not learned, or not tested."""
    if not corpus.labels:
        return corpus
    for split in [name for name in SPLITS if name in corpus.splits]:
        there = set(corpus.split(split).labels.tolist())
        missing = [name for label, name in enumerate(corpus.labels) if label not in there]
        if missing:
            count = f"{len(missing):,} of {len(corpus.labels):,} classes"
            typer.echo(f"{corpus.info.name}: there is no {first_few(missing)} in {split} ({count}).", err=True)
    return corpus
