"""What is left to do of several runs (-m) that were interrupted."""

import json
from collections.abc import Iterator
from pathlib import Path

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from sigconv.train.console import say
from sigconv.train.run import CONFIG, Run, command_from_here

COMMAND = "multirun.yaml"  # in which Hydra notes what was asked for
SUMMARY = "summary.json"


def is_sweep(folder: Path) -> bool:
    """Whether `folder` is that of several runs."""
    return (folder / COMMAND).is_file()


def failed_in(folder: Path) -> list[list[str]]:
    """The overrides of each run that has failed."""
    summary = folder / SUMMARY
    return json.loads(summary.read_text("utf-8"))["failed"] if summary.is_file() else []


def tell_left(word: str, folder: Path) -> None:
    """Says that several runs were stopped, and how they are completed."""
    say("\n  ".join([f"\n{word}. To complete the runs:", *commands_left(folder)]))


def commands_left(folder: Path) -> Iterator[str]:
    """What to type, from the current folder, for each run that is neither finished nor failed."""
    command, failed = OmegaConf.load(folder / COMMAND), failed_in(folder)
    swept = [f"{name}={values}" for name, values in (command.hydra.sweeper.params or {}).items()]
    parsed = OverridesParser.create().parse_overrides([*swept, *command.hydra.overrides.task])
    (wanted,) = BasicSweeper.split_arguments(parsed, None)
    for number, overrides in enumerate(wanted):
        place = folder / str(number)
        if overrides in failed:
            continue
        if not (place / CONFIG).is_file():  # it never began
            yield command_from_here(command.recipe, *overrides, f"hydra.run.dir={place}", "hydra.mode=RUN")
        elif not (run := Run.open(place)).finished:
            yield run.resume_command
