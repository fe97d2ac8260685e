"""From a config to the object that it describes."""

from collections.abc import Iterator
from typing import Any

import hydra
from hydra.errors import InstantiationException
from omegaconf import DictConfig, OmegaConf

from sigconv.errors import UsageError


def instantiate(config: DictConfig, **kwargs: Any) -> Any:
    """Hydra's, but what a `_target_` finds wrong with its arguments stays the UsageError that it is."""
    try:
        return hydra.utils.instantiate(config, **kwargs)
    except InstantiationException as error:
        if isinstance(error.__cause__, UsageError):
            raise error.__cause__ from None
        raise


def instantiate_own(config: DictConfig, **kwargs: Any) -> Any:
    """As `instantiate`, for the config of a run that may come from anywhere: it names nothing but sigconv's own.

    Raises UsageError for any other `_target_`, however deep.
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
