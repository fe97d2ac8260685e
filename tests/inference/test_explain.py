"""The page about the inside of a network, of every kind of signal; and how its pictures are drawn."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
import torch
from drawn import picture
from recipe_runs import Answer, Start, write_digits
from torch import nn
from typer.testing import CliRunner

from sigconv.cli import app
from sigconv.corpus import Corpus
from sigconv.inference.inside import HIDDEN, Example, map_sections
from sigconv.inference.seen import View

ONE_EPOCH = "trainer.max_epochs=1"


def explained(answer: Answer, *options: str) -> str:
    """The page that `sigconv explain` writes."""
    result = CliRunner().invoke(app, ["explain", str(answer.folder), *options], catch_exceptions=False)
    assert result.exit_code == 0
    page = Path(result.stdout.strip()).read_text("utf-8")
    HTMLParser().feed(page)
    assert not re.search(r'(src|href)="(?!data:|#)', page)  # it needs no other file
    return page


def titles(page: str) -> list[str]:
    return re.findall(r"<h2>(.*?)</h2>", page)


def test_pictures(run_mnist: Start) -> None:
    answer = run_mnist(ONE_EPOCH)
    page = explained(answer)
    assert titles(page) == [
        "Learned filters",
        "Receptive fields",
        "One input through the network",
        *(title for title in titles(page) if title.startswith("Map ")),
        "What must not be hidden",
    ]
    assert sorted(title for title in titles(page) if title.startswith("Map ")) == [f"Map {i}" for i in range(4)]
    assert page.count('<div class="peak">') == 4 * 4
    assert "<td>4x24x24</td><td>5x5</td>" in page
    assert "40 of test" in page
    other = explained(answer, "--data", "train", "--layer", "1_4C5")
    assert "150 of train" in other
    assert f"sigconv explain {answer.folder} --layer 1_4C5 --data train" in other
    assert {file.name for file in answer.run.folder.glob("explain*")} == {"explain.html", "explain_1_4C5_train.html"}


@pytest.mark.parametrize("recipe", ["speech_spectrogram", "speech_waveform"])
def test_sound(run_speech: Start, recipe: str, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = recipe == "speech_waveform"
    answer = run_speech(recipe, ONE_EPOCH)
    page = explained(answer)
    assert ("Filters on raw samples" in titles(page)) == raw
    peaks = page.count('<div class="peak">')
    assert peaks / 2 < page.count("<audio") <= peaks  # what is too short to be heard has no player
    assert ('class="waves"' in page) == raw
    assert page.count('class="wave"') == raw * (1 + 1 + HIDDEN)  # a gradient, an input, and what must not be hidden
    if raw:  # a layer with a stride has a slash in its name
        monkeypatch.setattr("sigconv.inference.explain._sections", lambda *_: [])
        explained(answer, "--layer", "1_4C80/8")
        assert (answer.run.folder / "explain_1_4C80-8.html").exists()


@pytest.mark.parametrize(("activation", "pictures"), [(nn.Tanh, 2), (nn.ReLU, 3)])
def test_the_two_rules_are_drawn_once_where_there_is_no_relu(activation: type[nn.Module], pictures: int) -> None:
    model = nn.Sequential(nn.Conv2d(1, 4, 3), activation(), nn.Conv2d(4, 3, 3))
    seen = torch.randn(1, 8, 8)
    sections = map_sections(model, "2", [Example(seen, seen, "one", "a file")], View(), None)
    for section in sections:
        assert section.body.count("<img") == pictures * section.body.count('<div class="peak">') > 0


@pytest.mark.parametrize("task", ["words", "sentences"])
def test_films(run_recipe: Start, task: str) -> None:
    drawn = ("data=drawn", "data.clips=12", "data.speakers=3", "mouth.height=16", "mouth.width=24")
    network = "model.layers=4C3x5x5/1x2x2-MP1x2x2-N" if task == "words" else "model=lipnet"
    small = () if task == "words" else ("model.width=2", "model.hidden=8")
    answer = run_recipe("lips", *drawn, f"task={task}", network, *small, "loader.batch_size=4", ONE_EPOCH)
    assert answer.code == 0, answer.err
    page = explained(answer)
    assert page.count('<div class="peak"><div class="film">') > 0


def test_a_mistake_is_answered_in_a_line(run_mnist: Start, tmp_path: Path) -> None:
    answer = run_mnist(ONE_EPOCH)
    other = write_digits(tmp_path / "other", lambda i: (i + 1) % 10)
    for options, message in (
        (["--layer", "conv"], r"no layer 'conv'.*There are 1_4C5"),
        (["--data", "tests"], r"no split 'tests', but train, validation, test"),
        (["--corpus", str(other.folder)], r"is not what .* was trained on, bars"),
    ):
        result = CliRunner().invoke(app, ["explain", str(answer.folder), *options])
        assert re.search(message, str(result.exception))
    assert not list(answer.run.folder.glob("explain*"))


def test_a_network_without_maps_has_nothing_to_show(run_mnist: Start) -> None:
    answer = run_mnist(ONE_EPOCH, "model.layers=10N")
    result = CliRunner().invoke(app, ["explain", str(answer.folder)])
    assert "no layer with maps" in str(result.exception)


def test_frequencies_go_upwards() -> None:
    x = torch.zeros(1, 4, 6)
    x[0, 0, 2] = 1
    drawn = picture(View(upwards=True).picture(x, *x.aminmax()))
    assert drawn[..., 0].argmax() == 3 * 6 + 2
    x[0, 3, 5] = -1
    red, blue = picture(View(upwards=True).signed(x))[3, 2], picture(View(upwards=True).signed(x))[0, 5]
    assert red[2] > red[0]
    assert blue[0] > blue[2]


@pytest.mark.parametrize("size", [(3, 9), (1, 5, 9), (3, 5, 9), (2, 5, 9), (1, 4, 5, 9)])
def test_what_matters_glows(size: tuple[int, ...]) -> None:
    strength = torch.zeros(size[1:])
    strength[(-1,) * (len(size) - 1)] = 1
    drawn = picture(View().glowing(torch.zeros(size), strength))[..., :3].astype(int)
    glow = drawn[..., 2] - drawn[..., 0] > 20
    assert glow[:, -1].any()
    assert not glow[:, 0].any()


def test_the_corpus_is_found_where_it_was(run_mnist: Start, digits: Corpus) -> None:
    answer = run_mnist(ONE_EPOCH)
    facts = answer.run.read_json("corpus.json")
    assert Path(facts["folder"]) == digits.folder
    answer.run.write_json("corpus.json", facts | {"folder": "/nowhere"})
    result = CliRunner().invoke(app, ["explain", str(answer.folder)])
    assert "is no longer in /nowhere: name its folder by --corpus" in str(result.exception)
    explained(answer, "--corpus", str(digits.folder))
