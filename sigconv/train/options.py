"""Checks the options of a config by the types of the arguments that they are given to."""

import math
from collections.abc import Callable, Mapping, Sequence
from inspect import signature
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from sigconv.errors import UsageError

IN_WORDS = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "text",
    Path: "text",
    NoneType: "null",
}


def check_options(function: Callable[..., Any], options: Mapping[str, Any], name: Callable[[str], str]) -> None:
    """Raises UsageError for an option that is not of the type of its argument.

    Args:
        function: that is to be called.
        options: its arguments.
        name: what the config calls an argument.
    """
    for argument, parameter in signature(function).parameters.items():
        if argument in options and not fits(options[argument], parameter.annotation):
            option, wanted = f"{name(argument)}={options[argument]}", _in_words(parameter.annotation)
            cure = f"; to give digits as text, quote them twice: \"{name(argument)}='...'\"" if "text" in wanted else ""
            raise UsageError(f"{option}: it must be {wanted}{cure}.")


def fits(value: Any, kind: Any) -> bool:
    """Whether a value of a config is of this type; any value fits a type that configs do not have."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return any(fits(value, part) for part in parts)
    if origin is Literal:
        return value in parts
    if origin is tuple and Ellipsis not in parts:
        return isinstance(value, Sequence) and len(value) == len(parts) and all(map(fits, value, parts))
    if origin in (Sequence, tuple, list):
        return isinstance(value, Sequence) and all(fits(item, parts[0]) for item in value)
    if kind in (int, float):
        return isinstance(value, int | kind) and not isinstance(value, bool) and math.isfinite(value)
    return isinstance(value, str if kind is Path else kind) if kind in IN_WORDS else True


def _in_words(kind: Any) -> str:
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(map(_in_words, parts)))
    if origin is Literal:
        return " or ".join(map(str, parts))
    if origin in (Sequence, tuple, list):
        count = f" of {len(parts)}" if origin is tuple and Ellipsis not in parts else ""
        return f"a list{count}, each {_in_words(parts[0])}"
    return IN_WORDS[kind]
