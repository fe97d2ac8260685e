"""Builds the object that a config describes."""

import re
from collections.abc import Iterator
from typing import Any

import hydra
from hydra.errors import InstantiationException
from omegaconf import DictConfig, ListConfig

from sigconv.errors import UsageError
from sigconv.train.options import check_options

UNKNOWN_OPTION = re.compile(r"(.*?)(?:\.__init__)?\(\) got an unexpected keyword argument '(.*)'")  # as Python says it


def instantiate(config: DictConfig, **kwargs: Any) -> Any:
    """Like Hydra's `instantiate`, but a UsageError raised by a `_target_` is passed on unwrapped.

    Raises UsageError, too, for a `_target_` that is not there, and for an option that it does not take or that is not
    of the type it takes.
    """
    for part in _parts(config):
        check_options(named(part, "_target_"), part, part._get_full_key)
    try:
        return hydra.utils.instantiate(config, **kwargs)
    except InstantiationException as error:
        if isinstance(error.__cause__, UsageError):
            raise error.__cause__ from None
        if unknown := UNKNOWN_OPTION.fullmatch(str(error.__cause__)):
            raise UsageError(
                "The config has an option that {}() does not take, {}: leave it out.".format(*unknown.groups())
            ) from None
        raise


def instantiate_own(config: DictConfig, **kwargs: Any) -> Any:
    """Like `instantiate`, for the config of a run of unknown origin: it may build nothing but parts of sigconv.

    Raises UsageError for any other `_target_`, however deeply nested.
    """
    for part in _parts(config):
        target = str(part["_target_"])
        made = named(part, "_target_") if target.startswith("sigconv.") else None
        if not getattr(made, "__module__", "").startswith("sigconv."):
            raise UsageError(f"The run's config builds {target}, which is not part of sigconv.")
    return instantiate(config, **kwargs)


def _parts(config: Any) -> Iterator[DictConfig]:
    """All that has a `_target_`, however deeply nested."""
    if isinstance(config, DictConfig):
        if "_target_" in config:
            yield config
        config = list(config.values())
    if isinstance(config, list | ListConfig):
        for value in config:
            yield from _parts(value)


def named(config: DictConfig, option: str) -> Any:
    """The function or class whose dotted name an option has. Raises UsageError if there is none."""
    name = str(config[option])
    try:
        return hydra.utils.get_object(name)
    except (ImportError, ValueError) as error:
        raise UsageError(f"{config._get_full_key(option)}={name}: there is none. {error}") from None
