"""Summarises the runs of one command line (-m)."""

import json
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, open_dict, read_write

from sigconv.files import write_whole
from sigconv.train.console import say
from sigconv.train.interrupted import SUMMARY, commands_left, failed_in, is_sweep
from sigconv.train.run import Run, new_folder, runs_in
from sigconv.train.summary import summarise, table
from sigconv.train.sweep_picture import picture


class Summary(Callback):
    """Gives a sweep a folder of its own, prints its progress, and summarises it: data, table and picture.

    Data and picture are written after each run, so that they are there whatever ends the sweep.
    """

    def __init__(self) -> None:
        self._failed: list[list[str]] = []

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        folder = new_folder(Path(config.hydra.sweep.dir))
        with read_write(config.hydra), open_dict(config.hydra):
            config.hydra.sweep.dir = str(folder)
            config.hydra.overrides.hydra.append(f"hydra.sweep.dir={folder}")

    def on_job_start(self, config: DictConfig, **_: Any) -> None:
        if "num" in config.hydra.job:  # one of several
            say(f"\nrun {config.hydra.job.num}: {' '.join(config.hydra.overrides.task)}")

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **_: Any) -> None:
        if "num" in config.hydra.job:
            if job_return.status is JobStatus.FAILED or not job_return.return_value:
                self._failed.append(list(config.hydra.overrides.task))
            self._write(Path(config.hydra.sweep.dir))
            return
        folder = Path(str(config.resume or config.hydra.runtime.output_dir)).parent
        if is_sweep(folder):  # that was interrupted before this one of its runs was finished
            self._failed = failed_in(folder)
            self._write(folder)
            self._tell(folder)

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        self._tell(Path(config.hydra.sweep.dir))

    def _summary(self, folder: Path) -> dict[str, Any]:
        finished = [run for run in map(Run.open, runs_in(folder)) if run.finished]
        done = [run.overrides for run in finished]
        return summarise(finished, [overrides for overrides in self._failed if overrides not in done])

    def _write(self, folder: Path) -> None:
        summary = self._summary(folder)
        text = json.dumps(summary, indent=2, ensure_ascii=False) + "\n"
        write_whole(folder / SUMMARY, lambda path: path.write_text(text, "utf-8"))
        if summary["runs"]:
            write_whole(folder / "summary.png", lambda path: picture(summary).savefig(path, format="png", dpi=120))

    def _tell(self, folder: Path) -> None:
        summary = self._summary(folder)
        if summary["runs"]:
            say(table(summary))
        say()
        for overrides in summary["failed"]:
            say(f"failed     {' '.join(overrides)}")
        for command in commands_left(folder):
            say(f"left       {command}")
        say(f"summary    {folder / SUMMARY}{' and summary.png' if summary['runs'] else ''}")
