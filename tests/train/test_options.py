"""Options of the wrong type, as somebody types them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import pytest

from sigconv.errors import UsageError
from sigconv.train.options import check_options

QUOTED = "; to give digits as text, quote them twice: \"data.a='...'\""


def check(kind: Any, value: Any) -> None:
    def function(a: kind = None, b: int = 0) -> None: ...

    check_options(function, {"a": value, "unknown": None}, "data.{}".format)


@pytest.mark.parametrize(
    ("kind", "value", "wanted"),
    [
        (str | Path, 2024, f"text{QUOTED}"),
        (str | Path | None, True, f"text or null{QUOTED}"),
        (str, None, f"text{QUOTED}"),
        (str | Sequence[str], [1, 2], f"text or a list, each text{QUOTED}"),
        (int, 0.4, "a whole number"),
        (int, True, "a whole number"),
        (int | None, "two", "a whole number or null"),
        (float, None, "a number"),
        (float | None, float("inf"), "a number or null"),
        (bool, 1, "true or false"),
        (bool | Literal["auto"], "maybe", "true or false or auto"),
        (tuple[int, int, int], [10, 10], "a list of 3, each a whole number"),
        (tuple[int, int, int], 30, "a list of 3, each a whole number"),
    ],
)
def test_the_wrong_type_is_told_with_the_right_one(kind: Any, value: Any, wanted: str) -> None:
    with pytest.raises(UsageError) as error:
        check(kind, value)
    assert str(error.value) == f"data.a={value}: it must be {wanted}."


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (str | Path, "2024"),
        (Path, "mine"),
        (float, 1),
        (float | None, None),
        (str | Sequence[str] | None, ["go", "up"]),
        (tuple[int, int, int], [3, 2, 1]),
        (bool | Literal["auto"], "auto"),
        (Any, 2024),
    ],
)
def test_the_right_type_passes(kind: Any, value: Any) -> None:
    check(kind, value)
