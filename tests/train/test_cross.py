"""A network tested on a corpus with other labels, rates and lengths than its own."""

import json
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from recipe_runs import Start
from sentences import write_words
from tones import ABOUT, Ears, damage, write_whistles
from typer.testing import CliRunner

from sigconv import cli
from sigconv.corpus import Corpus
from sigconv.errors import UsageError
from sigconv.inference import predict
from sigconv.train import cross
from sigconv.train.cross import check_comparable, cross_test, in_words

WORDS = ["high", "low", "middle"]


@pytest.fixture
def ears(monkeypatch: pytest.MonkeyPatch) -> Ears:
    """What every run's folder holds."""
    monkeypatch.setattr(predict, "load", lambda run: (Ears(), ABOUT))
    return Ears()


def test_classes_are_matched_by_name_not_by_number(ears: Ears, tmp_path: Path) -> None:
    other = write_whistles(tmp_path / "other", WORDS)
    result = cross_test(ears, ABOUT, other)
    assert result == {
        "corpus": "whistles",
        "accuracy": 1.0,
        "tested": 12,  # of both splits
        "left_out": 0,
        "seen": False,
        "split_hash": other.info.split_hash,
        "by_class": {"high": 1.0, "low": 1.0, "middle": 1.0},
    }


def test_examples_of_all_batches_are_tested(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cross, "BATCH", 5)
    corpus = write_whistles(tmp_path / "others", ["high", "low", "middle"])
    assert cross_test(Ears(), ABOUT, corpus)["tested"] == 12


def test_a_corpus_of_the_same_name_was_seen(ears: Ears, tmp_path: Path) -> None:
    other = write_whistles(tmp_path / "other", WORDS)
    assert "trained on a part of them" in in_words(cross_test(ears, {**ABOUT, "name": "whistles"}, other))


def test_the_same_files_under_another_name_were_seen(ears: Ears, tmp_path: Path) -> None:
    other = write_whistles(tmp_path / "other", WORDS)
    assert cross_test(ears, {**ABOUT, "split_hash": other.info.split_hash}, other)["seen"]


def test_a_class_that_is_mistaken_lowers_its_own_share_alone(tmp_path: Path) -> None:
    other = write_whistles(tmp_path / "other", WORDS)
    deaf = Ears(pitches=(300, 1500, 700))  # takes middle and high for each other
    result = cross_test(deaf, ABOUT, other)
    assert result["by_class"] == {"high": 0.0, "low": 1.0, "middle": 0.0}
    assert result["accuracy"] == pytest.approx(1 / 3)


def test_other_words_are_left_out_and_counted(ears: Ears, tmp_path: Path) -> None:
    other = write_whistles(tmp_path / "other", ["other", "low", "noise"], ["other", "low", "noise", "high"])
    result = cross_test(ears, ABOUT, other)
    assert (result["tested"], result["left_out"]) == (4, 8)
    assert result["by_class"] == {"low": 1.0}  # there is no example of "high"
    assert in_words(result) == "100.00% right on whistles (4 examples; 8 of other words left out)"


@pytest.mark.parametrize("dtype", ["int16", "float32"])
@pytest.mark.parametrize("rate", [16000, 48000, 11025])
def test_sound_is_brought_to_the_rate_of_the_network(ears: Ears, tmp_path: Path, rate: int, dtype: str) -> None:
    other = write_whistles(tmp_path / "other", WORDS, rate=rate, dtype=dtype)
    heard = []
    ears.register_forward_pre_hook(lambda _, inputs: heard.append(inputs[0].shape[1:]))
    assert cross_test(ears, ABOUT, other)["accuracy"] == 1.0
    assert set(heard) == {(1, 4000)}


@pytest.mark.parametrize(
    ("words", "about", "answer"),
    [
        (["other"], {}, "whistles has the classes other, and the network knows none of them, but low, middle, high"),
        (["low"], {"kind": "video"}, "whistles is of kind audio, but the network is for video"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    ears: Ears, tmp_path: Path, words: list[str], about: dict, answer: str
) -> None:
    other = write_whistles(tmp_path / "other", words)
    with pytest.raises(UsageError, match=answer):
        cross_test(ears, ABOUT | about, other)


def test_a_known_class_without_an_example_is_no_division_by_zero(ears: Ears, tmp_path: Path) -> None:
    other = write_whistles(tmp_path / "other", ["other"], ["other", "low"])
    with pytest.raises(UsageError, match="holds no example of a class that the network knows"):
        cross_test(ears, ABOUT, other)


def test_pictures_of_another_size_are_refused(digits: Corpus) -> None:
    about = {"kind": "image", "labels": list("0123456789"), "rate": None, "dtype": "uint8", "shape": [1, 32, 32]}
    with pytest.raises(UsageError, match="bars has signals of 1x28x28, but the network takes 1x32x32"):
        cross_test(torch.nn.Linear(1, 1), about, digits)


@pytest.mark.parametrize(
    ("about", "answer"),
    [
        ({"rate": 25}, "have rate 10, but the network takes those with rate 25: prepare them again by .* --rate"),
        (
            {"reader": {"region": 1.7, "height": 8, "rate": 10, "model": "reader.onnx"}},
            "have region 2.0, but the network takes those with region 1.7: .* the network's --region",
        ),
        ({"reader": {}}, None),
        ({"reader": {"region": 2.0, "height": 8, "rate": 10.0, "model": "elsewhere.onnx"}}, None),
    ],
)
def test_videos_are_compared_where_they_were_made_alike(tmp_path: Path, about: dict, answer: str | None) -> None:
    reader = {"region": 2.0, "height": 8, "rate": 10, "model": "yunet.onnx"}
    other = write_words(tmp_path / "films", reader=reader)
    with nullcontext() if answer is None else pytest.raises(UsageError, match=answer):
        check_comparable(vars(other.info) | about, other)


def _type(*words: object) -> tuple[int, str]:
    result = CliRunner().invoke(cli.app, list(map(str, words)))
    return result.exit_code, result.output


def test_it_is_a_command(ears: Ears, tmp_path: Path) -> None:
    write_whistles(tmp_path / "other", WORDS)
    assert _type("test", "run", tmp_path / "other") == (0, "100.00% right on whistles (12 examples)\n")
    status, output = _type("test", "run", tmp_path / "other", "--json")
    assert status == 0
    assert json.loads(output)["tested"] == 12


def test_a_damaged_copy_is_refused(ears: Ears, tmp_path: Path) -> None:
    path = damage(write_whistles(tmp_path / "other", WORDS))
    result = CliRunner().invoke(cli.app, ["test", "run", str(tmp_path / "other")])
    assert str(result.exception).startswith(f"{path} is damaged (sha256 ")


def test_a_run_is_no_corpus(run_speech: Start, tone_digits: Corpus) -> None:
    run = run_speech("speech_spectrogram", "trainer.max_epochs=1").run.folder
    with pytest.raises(UsageError, match=f"{run} is the folder of a run, .* is in {tone_digits.folder}"):
        Corpus.load(run)


@pytest.mark.parametrize("missing", ["run", "corpus"])
def test_what_is_not_there_is_said_in_a_line(
    run_speech: Start,
    tone_digits: Corpus,
    tmp_path: Path,
    missing: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if missing == "run":
        words = [tmp_path / "nowhere", tone_digits.folder]
    else:
        words = [run_speech("speech_spectrogram", "trainer.max_epochs=1").run.folder, tmp_path / "nowhere"]
    monkeypatch.setattr("sys.argv", ["sigconv", "test", *map(str, words)])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "nowhere" in error
