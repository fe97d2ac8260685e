"""What the scripts that prepare corpora share on the command line."""

from collections.abc import Callable

import typer

from sigconv.corpus import Corpus
from sigconv.errors import UsageError


def run(make: Callable[[], Corpus]) -> None:
    """The end of a script's `main`: makes the corpus and prints what is in it, or the user's mistake."""
    try:
        corpus = make()
    except (UsageError, OSError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from None
    typer.echo(f"{corpus.folder}: {corpus.info.counts_in_words}")
