"""The command line: sigconv verify | describe | cost | bench | predict | explain | test | committee | listen | doctor.

What each needs is imported when it is called.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from sigconv.errors import UsageError, complain, first_line
from sigconv.files import write_whole

try:
    import typer
except ModuleNotFoundError:
    if sys.argv[1:] == ["doctor"]:  # most needed where things are missing
        from sigconv.doctor import main as examine_and_print

        sys.exit(examine_and_print())
    sys.exit("the sigconv command needs more than the layers do: pip install 'sigconv[recipes]'")

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sigconv.bench.report import Report
    from sigconv.inference.predict import Prediction

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Convolution for signals of any dimension: verify it, describe networks, use what was trained.",
)


@app.command()
def verify(
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, ...")] = "cpu",
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Also write all to FILE.")] = None,
) -> None:
    """Prove the backward pass of every operation, kernel and dtype. Exit status 0 only if all proofs hold."""
    from sigconv.verification import verify_all

    _check_device(device)
    found = verify_all(device, progress=_show_progress)
    _show_progress("")
    typer.echo(str(found))
    if json_file is not None:
        _write_json(json_file, found.to_dict())
    raise typer.Exit(0 if found else 1)


@app.command()
def describe(
    architecture: Annotated[str, typer.Argument(help="Such as 1x28x28-20C4-MP2-40C5-MP3-150N-10N.")],
    padding: Annotated[str, typer.Option(help="Of every convolution: valid, same, causal or a number.")] = "valid",
    input_rate: Annotated[float | None, typer.Option(help="Samples a second, to give receptive fields in ms.")] = None,
    time_axis: Annotated[int, typer.Option(help="The axis that the rate belongs to.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Count a network's weights and connections, its work and what each place sees."""
    from sigconv.notation.describe import describe as count

    padded = int(padding) if padding.removeprefix("-").isdecimal() else padding
    description = count(architecture, padding=padded, input_rate=input_rate, time_axis=time_axis)
    typer.echo(json.dumps(description.as_dict(), indent=2) if as_json else str(description))


@app.command()
def cost(
    architecture: Annotated[str, typer.Argument(help="Such as 1x28x28-20C4-MP2-40C5-MP3-150N-10N.")],
    samples: Annotated[int, typer.Option(min=1, help="Samples in an epoch.")],
    epochs: Annotated[int, typer.Option(min=1)] = 1,
    batch: Annotated[int, typer.Option(min=1, help="Samples at a time.")] = 32,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Measure a few batches, and say how long a whole training takes on this machine."""
    from sigconv.cost import cost as measure

    found = measure(architecture, samples, epochs, batch)
    typer.echo(json.dumps(found.to_dict(), indent=2) if as_json else str(found))


@app.command()
def bench(
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, ...")] = "cpu",
    suite: Annotated[
        list[str] | None, typer.Option(help="layers, blocks, nets or calls; may be repeated; all if there is none.")
    ] = None,
    dtype: Annotated[str, typer.Option(help="float32 or bfloat16.")] = "float32",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads; torch's own number if not given.")] = None,
    without_compile: Annotated[
        bool, typer.Option("--without-compile", help="Leave out torch.compile, which takes minutes.")
    ] = False,
    keep_memory: Annotated[
        bool, typer.Option("--keep-memory", help="Let the process keep what it frees, as the recipes do.")
    ] = False,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Also write all to FILE.")] = None,
    markdown_file: Annotated[
        Path | None, typer.Option("--markdown", metavar="FILE", help="Also write the tables to FILE.")
    ] = None,
    picture_file: Annotated[
        Path | None, typer.Option("--picture", metavar="FILE", help="Also draw to FILE: .png, .svg or .pdf.")
    ] = None,
) -> None:
    """Measure layers, blocks and networks against torch.nn, in turn in one run; Ctrl-C ends it with what is measured.

    Files are written after each case: an end by force loses one only. Exit status 0 only if all compute the same.
    """
    from sigconv.bench import bench as measure

    _check_device(device)

    def keep(report: Report) -> None:
        if json_file is not None:
            _write_json(json_file, report.to_dict())
        if markdown_file is not None:
            _write_text(markdown_file, report.markdown())
        if picture_file is not None:
            from sigconv.bench.picture import save

            kind = picture_file.suffix[1:].lower()
            _write(picture_file, lambda part: save(report, part, kind))

    report = measure(
        suite or (),
        device,
        dtype,
        threads=threads,
        compiles=not without_compile,
        keep_memory=keep_memory,
        progress=_show_progress,
        keep=keep,
    )
    _show_progress("")
    typer.echo(str(report))
    raise typer.Exit(1 if report.wrong else 0)


@app.command()
def predict(
    run: Annotated[Path, typer.Argument(help="A run's folder, such as runs/mnist/2026-11-22_12-00-00.")],
    files: Annotated[list[Path], typer.Argument(help="Pictures, recordings or videos.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line, for machines.")] = False,
    video: Annotated[
        Path | None,
        typer.Option(metavar="OUT", help="Also copy the one video to OUT.mp4, the mouth framed, the words below."),
    ] = None,
) -> None:
    """Say what a trained network sees, hears or reads in FILES. Exit status 1 if one of them cannot be used."""
    failed = False
    for prediction in _predictions(run, files, video):
        failed |= prediction.error is not None
        if as_json:
            typer.echo(json.dumps(asdict(prediction)))
        else:
            typer.echo(str(prediction), err=prediction.error is not None)
    if video is not None and not failed:
        typer.echo(f"{video} is written, without sound.", err=True)
    raise typer.Exit(1 if failed else 0)


@app.command()
def explain(
    run: Annotated[Path, typer.Argument(help="A run's folder, such as runs/mnist/2026-11-22_12-00-00.")],
    layer: Annotated[
        str | None, typer.Option(help="The layer to explain; if not given, the last with more than one place.")
    ] = None,
    split: Annotated[str, typer.Option("--data", metavar="SPLIT", help="train, validation or test.")] = "test",
    corpus: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="The run's corpus, where it is elsewhere than it was.")
    ] = None,
) -> None:
    """Write a page about the inside of a trained network: filters, what maps answer to and why, what must be seen."""
    from sigconv.inference.explain import explain as explain_run

    page = explain_run(run, layer, split, corpus, progress=_show_progress)
    _show_progress("")
    typer.echo(str(page))


@app.command()
def listen(run: Annotated[Path, typer.Argument(help="The folder of a run that was trained on sound.")]) -> None:
    """Say what a trained network hears in the microphone, word by word, until Ctrl-C."""
    from sigconv.inference.listen import listen as hear

    heard = hear(run)
    typer.echo("Listening; Ctrl-C ends it.", err=True)
    try:
        for segment in heard:
            typer.echo(str(segment))
    except KeyboardInterrupt:
        typer.echo("", err=True)


@app.command("test")
def cross_test(
    run: Annotated[Path, typer.Argument(help="A run's folder.")],
    corpus: Annotated[Path, typer.Argument(help="A prepared corpus, such as data/fsdd/official.")],
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Test a trained network on another corpus, all of it, by the classes that both know."""
    from sigconv.corpus import Corpus
    from sigconv.inference.predict import load
    from sigconv.train import cross

    result = cross.cross_test(*load(run), Corpus.load(corpus).verify_changed())
    typer.echo(json.dumps(result, indent=2) if as_json else cross.in_words(result))


@app.command()
def committee(
    runs: Annotated[list[Path], typer.Argument(help="Runs' folders, or that of several, runs/mnist/multirun_...")],
    corpus: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Their corpus, where it is elsewhere than it was.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Test trained networks together, by the mean of their probabilities, on their test split."""
    from sigconv.inference import committee as together

    result = together.committee(runs, corpus, progress=_show_progress)
    _show_progress("")
    typer.echo(json.dumps(result, indent=2) if as_json else together.in_words(result))


@app.command()
def doctor() -> None:
    """Look at what this machine has, and say the fix for each thing that is missing."""
    from sigconv.doctor import main as examine_and_print

    typer.echo("Looking at this machine ...", err=True)
    raise typer.Exit(examine_and_print())


def main() -> None:
    """Run the command line; a user's mistake is one line and exit status 2."""
    try:
        app()
    except UsageError as error:
        complain(error)
        sys.exit(2)


def _check_device(device: str) -> None:
    import torch

    try:
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError) as error:
        raise UsageError(f"device {device!r} cannot be used: {first_line(error)}; try --device cpu") from None


def _show_progress(doing: str) -> None:
    """One line that overwrites itself, where somebody is looking."""
    if sys.stderr.isatty():
        typer.echo(f"\r\033[K{doing}", err=True, nl=False)


def _write_json(path: Path, data: dict[str, Any]) -> None:
    _write_text(path, json.dumps(data, indent=2) + "\n")


def _write_text(path: Path, text: str) -> None:
    _write(path, lambda part: part.write_text(text, "utf-8"))


def _write(path: Path, write: Callable[[Path], object]) -> None:
    try:
        write_whole(path, write)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None


def _predictions(run: Path, files: list[Path], video: Path | None) -> Iterator[Prediction]:
    if video is None:
        from sigconv.inference.predict import predict as classify

        yield from classify(run, files)
    else:
        from sigconv.inference.subtitles import subtitle

        yield subtitle(run, files, video)


if __name__ == "__main__":
    main()
