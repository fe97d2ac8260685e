"""What the scripts that prepare corpora share on the command line."""

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from inspect import Parameter, Signature, getdoc, getmodule, signature
from pathlib import Path
from typing import Annotated, Any

import typer

from sigconv.corpus import Corpus
from sigconv.errors import UsageError, complain

# What a flag gives to an argument for which Python code has a choice.
FLAG_TYPES = {
    str | Path: Path,
    str | Path | None: Path | None,
    str | Sequence[str]: str,
    str | Sequence[str] | None: str | None,
}


def command_line(prepare: Callable[..., Corpus], **groups: Callable[..., Any]) -> typer.Typer:
    """A script's command line: a flag for each argument of `prepare`, and help from the docstrings of both.

    It makes the corpus and prints what is in it, or the user's mistake.

    Args:
        groups: for an argument that is a mapping, the class whose settings it has; each of these is a flag.
    """
    own = [flag for flag in _flags(prepare) if flag.name not in groups]
    grouped = {group: _flags(settings) for group, settings in groups.items()}

    def main(**given: Any) -> None:
        for group, flags in grouped.items():
            given[group] = {flag.name: given.pop(flag.name) for flag in flags}
        try:
            corpus = prepare(**given)
        except (UsageError, OSError) as error:
            complain(error)
            raise typer.Exit(1) from None
        typer.echo(f"{corpus.folder}: {corpus.info.counts_in_words}")

    flags = sum(grouped.values(), own)
    main.__signature__ = Signature(flags)  # type: ignore[attr-defined]
    main.__annotations__ = {flag.name: flag.annotation for flag in flags}
    app = typer.Typer(add_completion=False, rich_markup_mode="markdown")
    app.command(help=f"{getdoc(getmodule(prepare))}\n\n{_text(prepare)[0]}")(main)
    return app


def _flags(explained: Callable[..., Any]) -> list[Parameter]:
    """The parameters of a function or class, typed and explained for Typer."""
    texts = _text(explained)[1]
    flags = []
    for name, parameter in signature(explained).parameters.items():
        kind = typer.Argument if parameter.default is Parameter.empty else typer.Option
        given = FLAG_TYPES.get(parameter.annotation, parameter.annotation)
        annotation = Annotated[given, kind(help=texts.get(name))]
        flags.append(parameter.replace(kind=Parameter.KEYWORD_ONLY, annotation=annotation))
    return flags


def _text(explained: Callable[..., Any]) -> tuple[str, dict[str, str]]:
    """A docstring: what comes before its arguments, and what it says about each."""
    text, _, rest = (getdoc(explained) or "").partition("\n\nArgs:\n")
    entries = re.findall(r"^ {4}(\w+(?:, \w+)*): (.*(?:\n {8}.*)*)", rest.partition("\n\n")[0], re.MULTILINE)
    return text, {name: " ".join(said.split()) for names, said in entries for name in names.split(", ")}


def write_flags(options: Mapping[str, Any]) -> str:
    """The command line that gives these options: --name value, --name or --no-name, and nothing for None."""
    words = []
    for name, value in options.items():
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        elif value is not None:
            text = ",".join(value) if isinstance(value, (list, tuple)) else value
            words += [f"--{flag}", str(text).removesuffix(".0") if isinstance(text, float) else str(text)]
    return shlex.join(words)
