"""Starts a recipe from the command line: Hydra composes the config, and a user's mistake gives a one-line error.

What trains takes seconds to import. It is imported when the command line has been found right.
"""

import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import hydra
from hydra._internal.utils import get_args_parser
from hydra.errors import HydraException
from omegaconf import DictConfig

from sigconv.errors import UsageError, complain
from sigconv.train.overrides import check_overrides
from sigconv.train.run import Run

Recipe = Callable[[DictConfig, Run], None]


def recipe(conf: Path) -> Callable[[Recipe], Callable[[], None]]:
    """Decorates a recipe, main(config, run), to be called without arguments: they come from the command line.

    Its config is `<name of its file>.yaml` in the folder `conf`. Exit codes: 1 for a mistake found while it runs, 2
    for one on the command line, 130 when interrupted, 143 when terminated while it trains or tests. If one of several
    runs (-m) fails, the others still run, and the exit code is 1 at the end.
    """

    def decorate(main: Recipe) -> Callable[[], None]:
        name = Path(main.__code__.co_filename).stem

        def launch() -> None:
            succeeded: list[bool] = []
            sweep: Path | None = None  # the folder of several runs, once the first of them has begun

            @functools.wraps(main)
            def task(config: DictConfig) -> bool:
                from sigconv.train.attempt import attempt, sweep_folder

                nonlocal sweep
                sweep = sweep_folder()
                succeeded.append(attempt(main, name, config))
                return succeeded[-1]

            os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra raises its errors instead of printing them
            sys.argv[1:] = sorted(sys.argv[1:], key=lambda word: word not in ("-m", "--multirun"))  # wherever it stands
            try:
                check_overrides(conf, name, get_args_parser().parse_args().overrides)
                hydra.main(version_base="1.3", config_path=str(conf), config_name=name)(task)()
            except UsageError as error:
                _refuse(str(error))
            except HydraException as error:
                _refuse(f"{error} {error.__cause__ or ''}".strip())
            except KeyboardInterrupt:  # between two runs
                if sweep is not None:
                    from sigconv.train.interrupted import tell_left

                    tell_left("Interrupted", sweep)
                sys.exit(130)
            if not all(succeeded):
                sys.exit(1)

        return launch

    return decorate


def _refuse(message: str) -> NoReturn:
    complain(message)
    sys.exit(2)
