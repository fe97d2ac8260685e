"""One run of a recipe: its folder, and what is said and left where it fails or is stopped."""

import errno
import shlex
import sys
import traceback
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from lightning.pytorch.utilities.exceptions import SIGTERMException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import InterpolationKeyError, MissingMandatoryValue

from sigconv.backends import make_the_most_of_this_machine
from sigconv.errors import UsageError, complain
from sigconv.train.cluster import be_first_if_alone, is_first_process
from sigconv.train.console import quiet_lightning, say
from sigconv.train.interrupted import tell_left
from sigconv.train.launch import Recipe
from sigconv.train.run import Run, run_folder

OF_DISKS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM)
"""Errors of a disk that is full or not writable."""


def attempt(main: Recipe, name: str, config: DictConfig) -> bool:
    """Whether the recipe `name`, main(config, run), succeeded with this config.

    If it is the only run and fails, it does not return, but ends the process; so does an interruption.
    """
    quiet_lightning()
    make_the_most_of_this_machine()
    run = None
    try:
        run = _open(name, config)
        main(run.config, run)
    except UsageError as error:
        if run is not None and config.resume is None and is_first_process():
            run.discard()
        return _failed(str(error))
    except (KeyboardInterrupt, SystemExit) as stop:
        word, code = _stopped_by(stop)
        if sweep := sweep_folder():
            tell_left(word, sweep)
        elif run is not None:
            say(f"\n{word}. {_to_go_on(run)}")
        sys.exit(code)
    except Exception as error:
        cause = _disk_error(error)
        if cause is None:
            if sweep_folder() is None:
                raise
            traceback.print_exc()
            return False
        how = f" {_to_go_on(run)}" if run is not None else ""
        return _failed(f"the disk refuses {cause.filename or 'a file'}: {cause.strerror or cause}.{how}")
    return True


def _stopped_by(stop: KeyboardInterrupt | SystemExit) -> tuple[str, int]:
    """What has stopped a run, and the exit code for it. Raises `stop` again if it is neither of the two signals."""
    # Of a distributed run, Lightning may kill the first process before it has said so, if another exits with an error.
    if isinstance(stop, SIGTERMException) and is_first_process():
        return "Terminated", 143
    # Lightning turns an interruption during training into a SystemExit.
    if isinstance(stop, KeyboardInterrupt) or isinstance(stop.__context__, KeyboardInterrupt):
        return "Interrupted", 130
    raise stop


def sweep_folder() -> Path | None:
    """The folder of the runs of one command line (-m) of which this is one; None for a single run."""
    settings = HydraConfig.get()
    return Path(settings.sweep.dir) if settings.mode == RunMode.MULTIRUN else None


def _to_go_on(run: Run) -> str:
    what = "go on after the last whole epoch" if run.checkpoint else "begin it again, as no epoch was completed"
    return f"To {what}:\n  {run.resume_command}"


def _disk_error(error: BaseException | None) -> OSError | None:
    """The disk error that is the cause of ``error``; None if there is none, so that ``error`` is a bug."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in OF_DISKS:
            return error
        error = error.__cause__ or error.__context__
    return None


def _open(name: str, config: DictConfig) -> Run:
    """The run to resume, or a new one. In a distributed run only the first process makes a folder."""
    settings = HydraConfig.get()
    overrides = list(settings.overrides.task)
    if config.resume is not None:
        if len(overrides) > 1:
            others = [override for override in overrides if not override.startswith("resume=")]
            raise UsageError(f"A resumed run keeps its config: leave out {shlex.join(others)}.")
        run = Run.open(config.resume)
        be_first_if_alone(run.config)
        if run.finished:
            raise UsageError(f"{config.resume} is finished: see {run.folder / 'report.html'}")
        for option in list(config):  # what there was not yet when the run began is as in conf/
            if option not in run.config:
                run.config[option] = config[option]
        return run
    config = _resolved(config)
    be_first_if_alone(config)
    if not is_first_process():
        return Run(Path("runs", name, "of_the_first_process"), config)
    return Run.create(_folder(name, Path(settings.runtime.output_dir)), config, overrides)


def _folder(name: str, of_hydra: Path) -> Path:
    """The folder that hydra.run.dir or a sweep sets for a run, or else a new one."""
    here = Path.cwd()
    if of_hydra == here:
        return run_folder(name)
    return of_hydra.relative_to(here) if of_hydra.is_relative_to(here) else of_hydra


def _resolved(config: DictConfig) -> DictConfig:
    """The config as plain values. Raises UsageError for a missing value, or a reference to a key that is not there."""
    try:
        return DictConfig(OmegaConf.to_container(config, resolve=True, throw_on_missing=True))
    except MissingMandatoryValue as error:
        raise UsageError(f"{error.full_key} has to be given: {error.full_key}=...") from None
    except InterpolationKeyError as error:
        wanted = str(error).splitlines()[0].split("'")[1]
        chosen, group = str(error.full_key).split(".")[0], wanted.split(".")[0]
        if group not in config:
            cure = f"not part of this recipe: choose another {chosen}, or the recipe that this one is made for"
        else:
            cure = f"not there with this choice of {group}: choose others of {chosen} or {group}"
        raise UsageError(f"{error.full_key} is taken from {wanted}, which is {cure}.") from None


def _failed(message: str) -> bool:
    """What a run answers that failed: False if it is one of several, and else nothing, as the process ends."""
    complain(message)
    if sweep_folder() is None:
        sys.exit(1)
    return False
