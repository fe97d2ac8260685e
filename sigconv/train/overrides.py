"""Checks overrides before Hydra does: the error for a mistyped name suggests the nearest valid ones."""

import re
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from itertools import product
from numbers import Number
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, QuotedString
from hydra.errors import ConfigCompositionException, OverrideParseException
from omegaconf import OmegaConf

from sigconv.errors import UsageError

PLAIN = r"a-zA-Z0-9_/\-\\+.$%*@?|: \t"  # characters that Hydra takes in a value without quotes
OF_GRAMMAR = r"\[\](){}=,'\""  # those that mean something to it


def check_overrides(conf: Path, root: str, overrides: Sequence[str]) -> None:
    """Raises UsageError for an override with an unknown group, option or key, or an invalid value.

    Args:
        conf: folder of the configs.
        root: name of the recipe's own config in it.
        overrides: as typed, such as "model=mlp" or "seed=0,1,2". Hydra's own are left to it.
    """
    with initialize_config_dir(str(conf), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        parsed = [override for override in _parsed(overrides, loader) if not override.is_hydra_override()]
        known_groups = loader.list_groups("")
        of_groups = [override for override in parsed if override.key_or_group in known_groups]
        choices = [override for override in of_groups if not override.is_add()]
        for choice in choices:
            _check_choice(choice, loader)
        if parsed:
            groups, defaults = _composed(root, choices)
            _check_groups([override.key_or_group for override in of_groups], groups)
            for override in parsed:
                if override not in of_groups and not override.is_add():
                    _check_value(override, groups, defaults)


def _parsed(overrides: Sequence[str], loader: ConfigLoader) -> list[Override]:
    try:
        return OverridesParser.create(loader).parse_overrides(list(overrides))
    except OverrideParseException as error:
        raise UsageError(f"{error.override!r} is not an override: {_cure(str(error.override))}.") from None


def _cure(override: str) -> str:
    key, _, value = override.partition("=")
    odd = re.search(f"[^{PLAIN}{OF_GRAMMAR}]", value) or re.search(f"[{OF_GRAMMAR}]", value)
    if odd is None:
        return "write key=value, or group=option"
    if value.startswith("~"):
        return "write $HOME for ~, which a shell replaces only where a word begins"
    return f"{odd[0]} in a value wants quotes within quotes, as in \"{key}='...{odd[0]}...'\""


def _composed(root: str, choices: Sequence[Override]) -> tuple[list[str], dict[str, Any]]:
    """The recipe's groups, and every dotted key of its config with its value for the options chosen (in a sweep: for
    all combinations)."""
    combinations = product(*([f"{choice.key_or_group}={value}" for value in _values(choice)] for choice in choices))
    groups: list[str] = []
    defaults: dict[str, Any] = {}
    for combination in combinations:
        try:
            composed = compose(root, list(combination), return_hydra_config=True)
        except ConfigCompositionException:
            _check_groups([choice.key_or_group for choice in choices], _composed(root, ())[0])
            for group in (choice.key_or_group for choice in choices if None in _values(choice)):
                raise UsageError(f"{group}=null: a recipe needs its {group}.") from None
            raise
        groups = sorted(name for name in composed.hydra.runtime.choices if not name.startswith("hydra/"))
        own = OmegaConf.masked_copy(composed, [key for key in composed if key != "hydra"])
        defaults |= dict(_flatten(OmegaConf.to_container(own)))
    return groups, defaults


def _check_groups(wanted: Sequence[str], groups: Sequence[str]) -> None:
    """Raises UsageError for a group that only other recipes have."""
    for group in wanted:
        if group not in groups:
            raise UsageError(f"{group} is not part of this recipe, which has {', '.join(groups)}.")


def _check_choice(choice: Override, loader: ConfigLoader) -> None:
    group = choice.key_or_group
    options = loader.get_group_options(group)
    if choice.is_delete():
        raise UsageError(f"~{group}: a recipe needs its {group}. There are {', '.join(options)}.")
    for option in _values(choice):
        if option is not None and str(option) not in options:
            raise UsageError(f"{group}={option}: there is no such {group}. {_nearest(str(option), options)}")


def _check_value(override: Override, groups: Sequence[str], defaults: dict[str, Any]) -> None:
    key = override.key_or_group
    if key not in defaults:
        made = defaults.get(f"{key.rpartition('.')[0]}._target_")
        added = f" To give what {made} takes besides: +{key}=" if made else ""
        raise UsageError(f"{key}: there is no such option. {_nearest(key, [*groups, *defaults])}{added}")
    if key == "recipe":
        raise UsageError("recipe is the name of the script that is started: start another one.")
    default = defaults[key]
    if override.is_delete() and "." not in key:
        raise UsageError(f"~{key}: a recipe needs its {key}.")
    for value in _values(override):
        if kind := _misfit(value, default):
            raise UsageError(f"{key}={value}: it must be {kind}.")


def _misfit(value: Any, default: Any) -> str | None:
    """What a value must be that cannot be in place of the default; None if it may fit."""
    if isinstance(default, dict) and not isinstance(value, dict):
        return f"options, of which there are {', '.join(default)}; change one of them"
    if not isinstance(default, Number) or (isinstance(value, str) and "${" in value):
        return None
    if isinstance(value, str) or (isinstance(value, Number) and isinstance(value, bool) != isinstance(default, bool)):
        return "true or false" if isinstance(default, bool) else f"a number, such as {default}"
    return None


def _flatten(config: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in config.items():
        yield f"{prefix}{key}", value
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{key}.")


def _values(override: Override) -> Iterator[Any]:
    if override.is_delete():
        return
    values: Iterable[Any]
    values = override.sweep_iterator() if override.is_discrete_sweep() else [override.value()]
    for value in values:
        yield value.text if isinstance(value, QuotedString) else value


def _nearest(name: str, valid: Sequence[str]) -> str:
    """Suggests valid names like `name`, compared as a whole or by the last part, so that lr=... finds optim.lr."""
    near = get_close_matches(name, valid, n=3)
    last = {key.rsplit(".", 1)[-1]: key for key in reversed(valid)}
    near += [last[part] for part in get_close_matches(name.rsplit(".", 1)[-1], last, n=3, cutoff=0.7)]
    names = list(dict.fromkeys(near or (key for key in valid if "." not in key)))
    start = "Did you mean" if near else "There are"
    return f"{start} {' or '.join(names) if near else ', '.join(names)}{'?' if near else '.'}"
