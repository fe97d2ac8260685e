"""The cards that a report is made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from jinja2 import Environment, PackageLoader
from markupsafe import Markup

TEMPLATES = Environment(
    loader=PackageLoader("sigconv.train.report"), autoescape=True, trim_blocks=True, lstrip_blocks=True
)


@dataclass(frozen=True)
class Section:
    """A titled card: half the page wide; "wide" is as wide as the page, "tall" as high as two others beside it."""

    title: str
    body: Markup
    note: str = ""
    size: Literal["", "wide", "tall"] = ""


def evenly(length: int, most: int) -> list[int]:
    """What is shown of `range(length)`: the middles of `most` equal stretches, or all of it if it is no longer."""
    count = min(length, most)
    return [(2 * i + 1) * length // (2 * count) for i in range(count)]


def part(name: str, *args: Any, **kwargs: Any) -> Markup:
    """Renders one of the macros in parts.html.jinja."""
    return getattr(TEMPLATES.get_template("parts.html.jinja").module, name)(*args, **kwargs)


def page(
    headline: str, about: str, kicker: str, facts: Mapping[str, str], command: str, cards: Sequence[Section]
) -> str:
    """A self-contained HTML page: a headline with facts, and the cards below it.

    Args:
        about: what the headline is about, for the title.
        kicker: line above the headline.
        command: what was run.
    """
    return TEMPLATES.get_template("report.html.jinja").render(
        title=f"{about}, {headline}", kicker=kicker, headline=headline, facts=facts, command=command, sections=cards
    )
