"""The report has all its parts, and is one file."""

import base64
import io
import re
from html.parser import HTMLParser

import pytest
import soundfile
import torch
from recipe_runs import Start

from sigconv.corpus import Corpus
from sigconv.train.report import pictures
from sigconv.train.report.page import (
    cross_sections,
    filter_sections,
    layers_sections,
    mistakes_section,
    speakers_sections,
)


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
    config = {"_target_": "sigconv.notation.build", "layers": "20C4-MP2-40C5-MP3-150N-N", "padding": "valid"}
    (section,) = layers_sections(config, (1, 29, 29), classes=10)
    assert "76,040" in section.body
    assert "1,908,740" in section.body
    assert layers_sections({"_target_": "sigconv.nets.other"}, (1, 29, 29), classes=10) == []


def test_the_page_of_a_speech_run(run_speech: Start) -> None:
    run = run_speech("speech_waveform", "trainer.max_epochs=1", "trainer.limit_train_batches=2").run
    page = (run.folder / "report.html").read_text()
    outline = Outline(page)
    assert outline.headings == [
        "Training", "Confusions", "Speakers", "Network", "Filters on raw samples", "Worst mistakes", "Environment",
        "Config",
    ]  # fmt: skip
    wrong = run.metrics["test"]["wrong"]
    assert outline.tags.count("audio") == outline.tags.count("img") == min(wrong, 40) > 0
    assert not re.search(r"""(src|href)=["'](?!data:|#)""", page)
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    speakers = run.metrics["speakers"]
    assert {name: of["tested"] for name, of in speakers.items()} == {"ann": 50, "bob": 50}
    assert sum(of["accuracy"] for of in speakers.values()) / 2 == pytest.approx(run.metrics["test"]["accuracy"])


def test_the_learned_front_end_is_shown(run_speech: Start) -> None:
    answer = run_speech("speech_spectrogram", "features=sinc", "trainer.max_epochs=1", "trainer.limit_train_batches=1")
    page = (answer.run.folder / "report.html").read_text()
    assert "How much each of the 40 learned filters lets through" in page
    assert Outline(page).headings.count("Filters on raw samples") == 1


def test_mistakes_are_shown_as_the_network_heard_them(tone_digits: Corpus) -> None:
    """A long recording does not make the page long."""
    test = tone_digits.split("test")
    wrong = torch.eye(10)[(test.labels + 1) % 10]
    section = mistakes_section(test, wrong, tone_digits, (1, 1000))
    data = base64.b64decode(re.search(r'audio/wav;base64,([^"]+)"', section.body)[1])
    assert soundfile.info(io.BytesIO(data)).frames == 1000
    assert section.body.count("<audio") == 40
    assert section.note.startswith("The 40 of 100 ")


def test_the_worst_speakers_come_first_and_not_all_of_many() -> None:
    few = {name: {"accuracy": share, "tested": 10} for name, share in (("ann", 0.9), ("bob", 0.5), ("eve", 1.0))}
    (section,) = speakers_sections(few)
    assert section.note.startswith("The 3 speakers of the test split")
    places = [section.body.index(name) for name in ("bob", "ann", "eve")]
    assert places == sorted(places)
    assert "50.0 % of 10" in section.body
    (section,) = speakers_sections({f"<{i}>": {"accuracy": i / 50, "tested": 10} for i in range(50)})
    assert section.note.startswith("The 20 of 50 speakers")
    assert "<0>" not in section.body
    assert speakers_sections({"ann": few["ann"]}) == []
    assert speakers_sections({}) == []


def test_nobody_made_a_mistake() -> None:
    (section,) = speakers_sections({name: {"accuracy": 1.0, "tested": 5} for name in ("ann", "bob")})
    assert "0.0 % of 5" in section.body


def test_another_corpus_has_its_card() -> None:
    result = {"corpus": "others", "accuracy": 0.5, "tested": 8, "left_out": 0, "seen": False}
    (section,) = cross_sections(result | {"by_class": {"one": 0.25, "two": 0.75}})
    assert "50.00% right on others (8 recordings)" in section.note
    assert "25.0%" in section.body
    assert cross_sections(None) == []
