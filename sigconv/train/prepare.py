"""The corpus that a config names, prepared if it is not there yet."""

import os
from contextlib import AbstractContextManager, nullcontext, suppress
from inspect import signature
from pathlib import Path

from filelock import FileLock, Timeout
from omegaconf import DictConfig

from sigconv.corpus import Corpus
from sigconv.errors import UsageError
from sigconv.train.console import say
from sigconv.train.cross import check_comparable
from sigconv.train.instantiate import named
from sigconv.train.options import check_options
from sigconv.train.run import Run


def prepare_corpus(config: DictConfig, run: Run) -> Corpus:
    """The corpus under `data`; that of a run that goes on is taken from where it was, if it is still there.

    Raises UsageError if an option is of the wrong type, if the corpus cannot be obtained, or if it has another rate
    than the config says.
    """
    if run.checkpoint is not None:
        with suppress(UsageError):
            return run.corpus()
    return _prepared(config, "data")


def prepare_cross_corpus(config: DictConfig, corpus: Corpus) -> Corpus | None:
    """The corpus under `cross_corpus`, if the config has one, to test the network that is trained on `corpus`.

    Raises UsageError if it cannot be obtained, or if the two differ in kind of signal or have no class in common:
    before the training, not after it.
    """
    if "cross_corpus" not in config:
        return None
    other = _prepared(config, "cross_corpus")
    check_comparable(vars(corpus.info), other)
    return other


def _prepared(config: DictConfig, group: str) -> Corpus:
    """Calls `prepare` in this group, one of the functions of data_prep; several processes do so one after the other."""
    data = config[group]
    prepare = named(data, "prepare")
    options = {name: data[name] for name in signature(prepare).parameters if name in data}
    check_options(prepare, options, lambda argument: f"{group}.{argument}")
    with _one_at_a_time(Path(options.get("folder") or "data/folder")):
        corpus = prepare(**options)
    if data.get("rate") not in (None, corpus.info.rate):
        has = f"{group}.rate={data.rate}, but {corpus.info.name} has {corpus.info.rate:g}"
        if corpus.info.kind == "video":
            raise UsageError(f"{has} frames a second: leave it out, and choose mouth.rate={corpus.info.rate:g}.")
        raise UsageError(f"{has} samples a second: leave it out.")
    return corpus


def _one_at_a_time(folder: Path) -> AbstractContextManager[object]:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder.parent} cannot be made: {error.strerror}.") from None
    if not os.access(folder.parent, os.W_OK):
        return nullcontext()  # where nothing can be made, nothing needs to wait
    lock = FileLock(f"{folder}.lock")
    try:
        return lock.acquire(timeout=0)
    except Timeout:
        say(f"waiting    for another preparation of {folder}")
        return lock.acquire()
