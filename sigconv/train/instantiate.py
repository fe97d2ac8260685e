"""Builds the object that a config describes."""

import re
from collections.abc import Iterator
from typing import Any

import hydra
from hydra.errors import InstantiationException
from omegaconf import DictConfig, OmegaConf

from sigconv.errors import UsageError

UNKNOWN_OPTION = re.compile(r"(.*?)(?:\.__init__)?\(\) got an unexpected keyword argument '(.*)'")  # as Python says it


def instantiate(config: DictConfig, **kwargs: Any) -> Any:
    """Like Hydra's `instantiate`, but a UsageError raised by a `_target_` is passed on unwrapped.

    Raises UsageError, too, for an option that a `_target_` does not take.
    """
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
    for target in _targets(OmegaConf.to_container(config)):
        made = hydra.utils.get_object(target) if target.startswith("sigconv.") else None
        if not getattr(made, "__module__", "").startswith("sigconv."):
            raise UsageError(f"The run's config builds {target}, which is not part of sigconv.")
    return instantiate(config, **kwargs)


def _targets(config: Any) -> Iterator[str]:
    if isinstance(config, dict):
        if "_target_" in config:
            yield str(config["_target_"])
        config = list(config.values())
    if isinstance(config, list):
        for value in config:
            yield from _targets(value)
