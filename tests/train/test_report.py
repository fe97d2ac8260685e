"""The report has all its parts, and is one file."""

import re
from collections.abc import Callable
from html.parser import HTMLParser

import pytest
import torch
from recipe_runs import Answer

from sigconv.train import pictures
from sigconv.train.report import filter_sections, layers_sections

Start = Callable[..., Answer]


class Outline(HTMLParser):
    """The headings, and how often each tag is there."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.headings: list[str] = []
        self.tags: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1] == "h2" and data.strip():
            self.headings.append(data)


def test_the_page_of_a_run(run_mnist: Start) -> None:
    run = run_mnist("trainer.max_epochs=2", "model=lenet", "model.layers=4C5-MP4-10N").run
    page = (run.folder / "report.html").read_text()
    outline = Outline(page)
    assert outline.headings == [
        "Training", "Confusions", "Network", "Learned filters", "Worst mistakes", "Environment", "Config",
    ]  # fmt: skip
    wrong = run.metrics["test"]["wrong"]
    assert wrong > 0
    assert outline.tags.count("img") == min(wrong, 40) + 4  # mistakes and filters
    assert outline.tags.count("svg") == 4
    assert f"{wrong:,} of 40" in page
    assert run.command in page
    assert "1,554" in page  # weights: 4 * 26 + 10 * 145
    assert not re.search(r"""(src|href)=["'](?!data:|#)""", page)  # nothing from elsewhere
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))


def test_names_from_a_corpus_are_text_not_markup() -> None:
    figure = pictures.confusion_matrix([[1, 2], [3, 4]], ["<b>&", "two"])
    assert "<b>" not in figure


@pytest.mark.parametrize("epochs", [1, 2, 50])
def test_curves_of_any_length(epochs: int) -> None:
    epoch = {
        "train/loss": 0.0,
        "train/accuracy": 1.0,
        "validation/loss": 0.1,
        "validation/accuracy": 0.9,
        "seconds": 1.0,
    }
    figures = pictures.curves([{"epoch": i + 1, **epoch} for i in range(epochs)])
    assert all(figure.startswith("<svg") and "currentColor" in figure for figure in figures)


def test_filters_are_shown_where_they_can_be_seen() -> None:
    conv, plain = torch.nn.Conv2d(3, 70, 5), torch.nn.Linear(784, 6)
    assert filter_sections(conv, (3, 28, 28))[0].body.count("<img") == 64
    assert filter_sections(plain, (1, 28, 28))[0].body.count("<img") == 6
    assert filter_sections(torch.nn.Conv1d(1, 4, 9), (1, 100)) == []


def test_layers_are_listed_for_the_architecture_language_alone() -> None:
    config = {"_target_": "sigconv.notation.build", "layers": "20C4-MP2-40C5-MP3-150N-10N", "input": "1x29x29"}
    (section,) = layers_sections({**config, "padding": "valid"})
    assert "76,040" in section.body
    assert "1,908,740" in section.body
    assert layers_sections({"_target_": "sigconv.nets.other"}) == []
