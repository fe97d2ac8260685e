"""Tables as text and as Markdown."""

from dataclasses import replace

from sigconv.table import Table


def test_tables_are_aligned() -> None:
    table = Table(["case", "ms"], [["a", "1.00"], ["longer", "23.4"]])
    assert str(table) == "case      ms\n------  ----\na       1.00\nlonger  23.4"
    assert table.markdown() == "| case | ms |\n| --- | --: |\n| a | 1.00 |\n| longer | 23.4 |"
    summed = replace(table, foot=["sum", "24.4"])
    assert str(summed) == f"{table}\n------  ----\nsum     24.4"
    assert summed.markdown() == f"{table.markdown()}\n| sum | 24.4 |"
