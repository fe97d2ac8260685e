"""Names as users give them."""

import pytest

from sigconv.errors import UsageError
from sigconv.names import listed, named


@pytest.mark.parametrize(
    ("wanted", "names"),
    [("s1, s2", ("s1", "s2")), (["s1", 2], ("s1", "2")), (("a",), ("a",)), (1, ("1",)), (2.5, ("2.5",))],
)
def test_names_come_as_a_text_a_list_or_one_by_itself(wanted: object, names: tuple[str, ...]) -> None:
    assert listed(wanted) == names


def test_an_unknown_name_is_answered_with_the_nearest_and_all_there_are() -> None:
    table = {"batch": 1, "none": 2}
    assert (named("norm", "batch", table), named("norm", None, table)) == (1, 2)
    with pytest.raises(UsageError, match=r"no norm 'bach'\. Did you mean batch\? There are batch, none"):
        named("norm", "bach", table)
