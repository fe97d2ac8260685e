"""The settings of `MouthReader` on the command line, for every script that crops mouths."""

import shlex
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from functools import wraps
from inspect import Parameter, signature
from typing import Any, get_type_hints

from sigconv.signals.lips.mouths import MouthReader


def with_mouth(main: Callable[..., None]) -> Callable[..., None]:
    """`main` with a flag for each of the settings, such as --locator and --colour, in place of its argument `mouth`."""
    hints = get_type_hints(MouthReader)
    settings = [
        Parameter(
            field.name,
            Parameter.KEYWORD_ONLY,
            default=Parameter.empty if field.default is MISSING else field.default,
            annotation=hints[field.name],
        )
        for field in fields(MouthReader)
    ]
    shape = signature(main)

    @wraps(main)
    def command(**given: Any) -> None:
        mouth = {setting.name: given.pop(setting.name) for setting in settings}
        main(**given, mouth=mouth)

    kept = [parameter for name, parameter in shape.parameters.items() if name != "mouth"]
    command.__signature__ = shape.replace(parameters=[*kept, *settings])  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in [*kept, *settings]}
    return command


def write_flags(options: Mapping[str, Any]) -> str:
    """The command line that gives these options: --name value, --name or --no-name, and nothing for None."""
    words = []
    for name, value in options.items():
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        elif value is not None:
            text = ",".join(value) if isinstance(value, (list, tuple)) else value
            words += [f"--{flag}", str(text).removesuffix(".0") if isinstance(text, float) else str(text)]
    return shlex.join(words)
