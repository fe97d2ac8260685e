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
from sigconv.signals.lips.grammar import GRID_GRAMMAR
from sigconv.signals.lips.visemes import VISEMES
from sigconv.train.data import CorpusData
from sigconv.train.report import pictures
from sigconv.train.report.classes import confusion_section, cross_sections, mistakes_section, surest
from sigconv.train.report.groups import speakers_sections, word_class_sections
from sigconv.train.report.learned import filter_sections, layers_sections
from sigconv.train.report.matrix import confusion_matrix
from sigconv.train.report.transcripts import decoders_section, headline, marked, worst_first
from sigconv.train.report.visemes import viseme_sections


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


@pytest.mark.report
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
    figure = confusion_matrix([[1, 2], [3, 4]], ["<b>&", "two"])
    assert "<b>" not in figure


def test_a_class_that_was_not_tested_has_no_share() -> None:
    figure = confusion_matrix([[3, 1], [0, 0]], ["one", "two"])
    assert re.findall(r"[\d.]+%", figure) == ["75.0%"]


CLASSES = {"train/accuracy": 1.0, "validation/accuracy": 0.9}


@pytest.mark.parametrize("epochs", [1, 2, 50])
@pytest.mark.parametrize(
    ("measured", "title"), [(CLASSES, "Errors, %"), ({"validation/wer": 0.4}, "Word error rate, %")]
)
def test_curves_of_any_length(epochs: int, measured: dict, title: str) -> None:
    epoch = {"train/loss": 0.0, "validation/loss": 0.1, "seconds": 1.0, **measured}
    figures = pictures.curves([{"epoch": i + 1, **epoch} for i in range(epochs)])
    assert len(figures) == 3
    assert all(figure.startswith("<svg") and "currentColor" in figure for figure in figures)
    assert title in figures[1]


def test_filters_are_shown_where_they_can_be_seen() -> None:
    conv, plain = torch.nn.Conv2d(3, 70, 5), torch.nn.Linear(784, 6)
    assert filter_sections(conv, (3, 28, 28))[0].body.count("<img") == 64
    assert filter_sections(plain, (1, 28, 28))[0].body.count("<img") == 6
    assert filter_sections(torch.nn.Conv1d(1, 4, 9), (1, 100)) == []
    (films,) = filter_sections(torch.nn.Conv3d(1, 5, 3), (1, 20, 48, 80))
    assert films.body.count("<img") == 5
    assert films.note.endswith("Time runs to the right.")


def test_layers_are_listed_for_the_architecture_language_alone() -> None:
    config = {"_target_": "sigconv.notation.build", "layers": "20C4-MP2-40C5-MP3-150N-N", "padding": "valid"}
    (section,) = layers_sections(config, (1, 29, 29), classes=10)
    assert "76,040" in section.body
    assert "1,908,740" in section.body
    assert layers_sections({"_target_": "sigconv.nets.other"}, (1, 29, 29), classes=10) == []
    (section,) = layers_sections(config | {"layers": "4C3-N", "causal": True}, (1, 8, 9, 9), classes=10)
    assert "4x8x7x7" in section.body  # as of the network itself: time, the first axis, is padded before


@pytest.mark.report
def test_the_page_of_a_speech_run(run_speech: Start) -> None:
    run = run_speech("speech_waveform", "trainer.max_epochs=1", "trainer.limit_train_batches=2").run
    page = (run.folder / "report.html").read_text()
    outline = Outline(page)
    assert outline.headings == [
        "Training", "Confusions", "Speakers", "With noise", "With overload", "Network", "Filters on raw samples",
        "Worst mistakes", "Environment", "Config",
    ]  # fmt: skip
    wrong = run.metrics["test"]["wrong"]
    assert outline.tags.count("audio") == outline.tags.count("img") == min(wrong, 40) > 0
    assert not re.search(r"""(src|href)=["'](?!data:|#)""", page)
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    speakers = run.metrics["speakers"]
    assert {name: of["tested"] for name, of in speakers.items()} == {"ann": 50, "bob": 50}
    assert sum(of["accuracy"] for of in speakers.values()) / 2 == pytest.approx(run.metrics["test"]["accuracy"])


@pytest.mark.report
def test_the_learned_front_end_is_shown(run_speech: Start) -> None:
    answer = run_speech("speech_spectrogram", "features=sinc", "trainer.max_epochs=1", "trainer.limit_train_batches=1")
    page = (answer.run.folder / "report.html").read_text()
    assert "How much each of the 40 learned filters lets through" in page
    assert Outline(page).headings.count("Filters on raw samples") == 1


def test_mistakes_are_shown_as_the_network_heard_them(tone_digits: Corpus) -> None:
    """A long recording does not make the page long."""
    test = tone_digits.split("test")
    wrong = torch.eye(10)[(test.labels + 1) % 10]
    section = mistakes_section(CorpusData(tone_digits, batch_size=8, seed=0, length=1000), wrong)
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
    assert "50.00% right on others (8 examples)" in section.note
    assert "25.0%" in section.body
    assert cross_sections(None) == []


GRAMMAR = {"command": ("set", "lay"), "letter": tuple("tsrqponmlkjihgfedcba")}
WORDS = sorted(word for words in GRAMMAR.values() for word in words)  # too many for the smaller size of a section


def mistaken(said: str, read: str, times: int = 3) -> list[tuple[int, int, int]]:
    """Counts of a test in which nothing else went wrong."""
    return [*((i, i, 10) for i in range(len(WORDS))), (WORDS.index(said), WORDS.index(read), times)]


def texts(figure: str) -> list[str]:
    return [text.strip() for text in re.findall(r">([^<>]+)<", figure) if text.strip()]


def test_words_of_one_class_stand_together() -> None:
    section = confusion_section(mistaken("p", "b"), WORDS, GRAMMAR)
    assert section.size == "wide"
    shown = texts(section.body)
    ordered = [word for words in GRAMMAR.values() for word in words]
    assert [text for text in shown if text in WORDS] == 2 * ordered
    assert [text for text in shown if text in GRAMMAR] == 2 * list(GRAMMAR)
    assert shown.count("3") == 1
    assert {"true class", "answer of the network"} <= set(shown)
    plain = texts(confusion_section(mistaken("p", "b"), WORDS).body)
    assert [text for text in plain if text in WORDS] == 2 * WORDS
    assert not set(GRAMMAR) & set(plain)


def test_too_many_classes_for_a_matrix_are_listed() -> None:
    names = [f"word{i}" for i in range(101)]
    counts = [*((i, i, 8) for i in range(101)), (4, 7, 2)]
    section = confusion_section(counts, names)
    assert "<svg" not in section.body
    assert [text for text in texts(section.body) if "word" in text] == ["word4", "word7"]
    assert "20.0%" in section.body


def test_visemes_tell_what_looks_alike() -> None:
    (alike,) = viseme_sections([("p", "b", 5)])
    assert [text for text in texts(alike.body) if text in {"5", *VISEMES.values()}] == 2 * ["p b m", "iy ih"] + 2 * [
        "5"
    ]
    (other,) = viseme_sections([("bin blue", "bin", 4), ("by", "bun", 2)])
    assert "none" in texts(other.body)
    assert other.note.endswith("outside the lexicon are left out: 2.")
    assert viseme_sections([("p", "b", 5), ("house", "b", 1)]) == []
    assert viseme_sections([("p", "house", 5)]) == []


def test_word_classes_have_bars_in_the_order_of_a_sentence() -> None:
    measured = {name: {"accuracy": 1 - i / 10, "tested": 7} for i, name in enumerate(GRID_GRAMMAR)}
    (section,) = word_class_sections(measured)
    assert [text for text in texts(section.body) if text in GRID_GRAMMAR] == list(GRID_GRAMMAR)
    assert "50.0 % of 7" in section.body
    assert word_class_sections(None) == []


def test_the_surest_answers_are_found() -> None:
    labels = torch.tensor([0, 1, 0, 1, 0])
    probabilities = torch.tensor([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7], [0.6, 0.4], [0.55, 0.45]])
    assert surest(labels, probabilities, 2) == [0, 1, 2, 3]
    assert surest(labels, probabilities, 1) == [0, 2]


def test_what_was_read_wrongly_is_marked() -> None:
    said, read = marked("bin blue at f", "bin <i> f").split("<br>")
    assert said == "bin <mark>blue</mark> <mark>at</mark> f"
    assert read in (
        "<b>bin <mark>-</mark> <mark>&lt;i&gt;</mark> f</b>",
        "<b>bin <mark>&lt;i&gt;</mark> <mark>-</mark> f</b>",
    )
    assert marked("a", "") == "<mark>a</mark><br><b><mark>-</mark></b>"
    sentences = [{"source": str(i), "wrong": wrong} for i, wrong in enumerate([0, 1, 2, 1])]
    assert [one["source"] for one in worst_first(sentences)] == ["2", "1", "3"]


def test_decoders_are_compared_and_the_headline_is_the_chosen_one() -> None:
    decoders = {"greedy": {"wer": 0.2, "cer": 0.1, "right": 0.5}, "beam": {"wer": 0.1234, "cer": 0.05, "right": 0.75}}
    body = decoders_section(decoders, "beam").body
    assert "<b>beam</b>" in body
    assert texts(body)[-8:] == ["greedy", "20.00%", "10.00%", "50.0%", "beam", "12.34%", "5.00%", "75.0%"]
    assert headline({"test": decoders["beam"]}) == "Word error rate 12.34%"


def test_speakers_of_sentences_are_ordered_by_word_errors() -> None:
    (section,) = speakers_sections({"ann": {"wer": 0.1, "tested": 3}, "bob": {"wer": 0.4, "tested": 3}})
    assert section.body.index("bob") < section.body.index("ann")
    assert "40.0 % of 3" in section.body
