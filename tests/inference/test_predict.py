"""A run used on files, with nothing else there."""

import json
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
import soundfile
import torch
from click.testing import Result
from omegaconf import OmegaConf
from recipe_runs import Start
from tones import ABOUT, LENGTH, PITCH, RATE, Ears, utterance, whistle
from typer.testing import CliRunner

from sigconv import cli
from sigconv.corpus import Corpus
from sigconv.errors import UsageError
from sigconv.inference.predict import load, predict
from sigconv.signals.length import fit_length
from sigconv.train.run import Run


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("trained") / "run"


@pytest.fixture
def moved_run(trained: Path, run_mnist: Start, tmp_path: Path) -> Path:
    """A trained run's folder, taken away from where it was made."""
    if not trained.exists():
        shutil.move(run_mnist("trainer.max_epochs=8", "optim.lr=0.02", "augment=none").run.folder, trained)
    return shutil.copytree(trained, tmp_path / "elsewhere")


def test_files_are_told_apart_from_the_folder_alone(
    moved_run: Path, digits: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Corpus, "load", None)
    monkeypatch.setattr(
        "sigconv.signals.image.digits.read_digit", lambda file: (picture(file), file.endswith("light.png"))
    )
    test = digits.split("test")

    def picture(file: str) -> torch.Tensor:
        return test[int(Path(file).stem.split("_")[0])]

    network, about = load(moved_run)
    assert about == {
        "name": "bars",
        "split_hash": digits.info.split_hash,
        "kind": "image",
        "labels": list("0123456789"),
        "rate": None,
    } | {
        "dtype": "uint8",
        "shape": [1, 28, 28],
        "reader": {},
    }
    answers = list(predict(moved_run, ["3_dark.png", "4_light.png"]))
    for number, answer in zip((3, 4), answers, strict=True):
        probabilities = network(test[number][None]).softmax(1)[0]
        assert answer.probability == pytest.approx(probabilities.max().item(), rel=1e-5)
        assert answer.label == str(probabilities.argmax().item())
        assert [p for _, p in answer.top] == sorted((p for _, p in answer.top), reverse=True)
        assert answer.error is None
    assert answers[0].notes == []
    assert "inverted" in answers[1].notes[0]


def test_it_gives_what_training_measured(moved_run: Path, digits: Corpus) -> None:
    """The saved features and weights are those that were tested."""
    signals, labels = digits.split("test").signals(), digits.split("test").labels
    network, _ = load(moved_run)
    with torch.no_grad():
        right = (network(signals).argmax(1) == labels).float().mean().item()
    assert right == pytest.approx(Run.open(moved_run).metrics["test"]["accuracy"])


def test_one_bad_file_does_not_stop_the_others(moved_run: Path, digits: Corpus, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.png", tmp_path / "bad.png"
    pixels = digits.split("test")[0][0].numpy()
    cv2.imwrite(str(good), cv2.rectangle(0 * pixels, (12, 4), (15, 23), 255, -1))
    bad.write_bytes(b"no picture")
    missing, broken, fine = predict(moved_run, [tmp_path / "missing.png", bad, good])
    assert missing.label is None
    assert "missing.png" in missing.error
    assert "bad.png" in broken.error
    assert fine.error is None
    assert fine.label in digits.labels


def test_an_unfinished_run_and_a_stranger_are_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere is not a run's folder: it holds no config.yaml"):
        predict(tmp_path / "nowhere", [])
    run = Run.create(tmp_path, OmegaConf.create({"recipe": "mnist"}), [])
    with pytest.raises(UsageError, match="not finished"):
        predict(run.folder, [])


@pytest.mark.parametrize("target", ["os.system", "sigconv.train.environment.subprocess.run", "torch.nn.Identity"])
def test_a_run_from_a_stranger_cannot_call_what_it_likes(moved_run: Path, target: str) -> None:
    config = OmegaConf.load(moved_run / "config.yaml")
    config.model.activation = {"_target_": target, "args": "true"}
    OmegaConf.save(config, moved_run / "config.yaml")
    with pytest.raises(UsageError, match=f"builds {target}, which is not part of sigconv"):
        predict(moved_run, [])


def test_using_a_run_does_not_load_what_trains(moved_run: Path) -> None:
    load_it = f"import sys; from sigconv.inference.predict import load; load({str(moved_run)!r})"
    code = f"{load_it}; print('lightning' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"


# Sound: by a network that knows three pitches, in place of a trained one.


@pytest.fixture
def ears(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sigconv.inference.predict.load", lambda run: (Ears(), ABOUT))


def typed(*words: object) -> Result:
    return CliRunner().invoke(cli.app, ["predict", "run", *map(str, words)])


def test_a_word_of_any_format_rate_and_number_of_channels(ears: None, tmp_path: Path) -> None:
    sound = np.pad(whistle(PITCH["high"], 0.3, 44100), 4000)
    files = [tmp_path / name for name in ("word.mp3", "word.flac", "word.ogg")]
    for file in files:
        soundfile.write(file, np.stack([sound, sound // 2], 1), 44100)
    for answer in predict("run", files):
        assert answer.error is None
        assert (answer.label, answer.segments) == ("high", None)
        offset = [note for note in answer.notes if note.startswith("an offset of ")]  # which the mp3's coder adds
        assert answer.notes == ["2 channels mixed down", *offset, "resampled from 44100 Hz"]
    output = typed(files[0]).stdout
    assert output.startswith(f"{files[0]}: high (100.0%); then ")
    assert "; 2 channels mixed down; " in output
    assert output.endswith("; resampled from 44100 Hz\n")


def test_a_long_recording_is_cut_into_words(ears: None, tmp_path: Path) -> None:
    sound, words = utterance(list(PITCH) * 22, pause=0.6)
    file = tmp_path / "minute.wav"
    soundfile.write(file, sound, RATE)
    (answer,) = predict("run", [file])
    assert (answer.label, answer.probability, answer.top, answer.error) == (None, None, [], None)
    assert [segment.label for segment in answer.segments] == [word for word, _, _ in words]
    for segment, (_, start, end) in zip(answer.segments, words, strict=True):
        assert (segment.start, segment.end) == pytest.approx((start, end), abs=0.03)
    result = typed(file)
    head, *lines = result.stdout.splitlines()
    assert head == f"{file}: a long recording"
    assert len(lines) == 66
    assert len({line.index("%") for line in lines}) == 1  # one below the other
    assert lines[1].split()[-2:] == ["100.0%", "middle"]
    assert json.loads(typed("--json", file).stdout)["segments"][1]["label"] == "middle"


def test_a_recording_of_just_the_length_is_taken_whole(ears: None, tmp_path: Path) -> None:
    for extra, whole in ((0, True), (1, False)):
        quiet = np.zeros(LENGTH - 1600 + extra, np.int16)
        soundfile.write(tmp_path / "one.wav", np.concatenate([whistle(PITCH["low"], 0.2), quiet]), RATE)
        (answer,) = predict("run", [tmp_path / "one.wav"])
        assert (answer.segments is None) is whole
        assert (answer.label or answer.segments[0].label) == "low"


def test_what_is_no_sound_is_told_in_a_line_each_and_the_others_are_answered(ears: None, tmp_path: Path) -> None:
    good, text, empty, silent = (tmp_path / name for name in ("a.wav", "b.txt", "c.wav", "d.wav"))
    soundfile.write(good, whistle(PITCH["low"]), RATE)
    text.write_text("hello")
    empty.touch()
    soundfile.write(silent, np.zeros(3 * RATE, np.int16), RATE)
    result = typed(text, empty, silent, tmp_path / "f.wav", good)
    assert result.exit_code == 1
    assert result.stdout.startswith(f"{good}: low (")
    errors = result.stderr.splitlines()
    reasons = ["is not audio", "is empty", "is silent", "is missing"]
    assert len(errors) == 4
    assert all(reason in error for reason, error in zip(reasons, errors, strict=True))
    assert all(error.count(str(tmp_path)) == 1 for error in errors)


def test_a_short_steady_sound_is_answered_window_by_window(ears: None, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "hum.wav", whistle(PITCH["middle"], 1.5), RATE)
    (answer,) = predict("run", [tmp_path / "hum.wav"])
    assert [segment.label for segment in answer.segments] == ["middle"] * 5
    assert answer.segments[0].start == 0
    assert answer.segments[-1].end == pytest.approx(1.5)
    assert answer.notes == [
        "nothing stands out from the background: all of it is taken, and the answers may be by chance"
    ]


def test_a_long_noise_gives_no_words(ears: None, tmp_path: Path) -> None:
    file = tmp_path / "rain.wav"
    soundfile.write(file, np.random.default_rng(0).normal(0, 300, 5 * RATE).astype(np.int16), RATE)
    result = typed(file)
    assert result.exit_code == 0
    assert result.stdout == f"{file}: a long recording; nothing stands out from the background: no word is found\n"
    assert json.loads(typed("--json", file).stdout)["segments"] == []


@pytest.mark.parametrize(
    "sound",
    [whistle(PITCH["low"], 0.01), np.random.default_rng(0).normal(0, 300, LENGTH).astype(np.int16)],
    ids=["ten milliseconds", "noise"],
)
def test_a_short_sound_without_a_word_is_answered_with_a_warning(sound: np.ndarray, ears: None, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "short.wav", sound, RATE)
    (answer,) = predict("run", [tmp_path / "short.wav"])
    assert answer.label in PITCH
    assert answer.notes[-1] == "nothing stands out from the background: the answer may be by chance"


def test_a_speech_run_carries_all_that_prediction_needs(
    run_speech: Start, tone_digits: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even features that were fitted to the training split."""
    run = run_speech("speech_spectrogram", "features=logmel_corpus", "trainer.max_epochs=3", "augment=none").run
    moved = Path(shutil.move(run.folder, tmp_path / "elsewhere"))
    test = tone_digits.split("test")
    signals = test.signals(partial(fit_length, length=round(0.4 * RATE), rate=RATE))
    network, about = load(moved)
    assert about["shape"] == [1, 3200]
    with torch.no_grad():
        right = (network(signals).argmax(1) == test.labels).float().mean().item()
    assert right == pytest.approx(Run.open(moved).metrics["test"]["accuracy"])
    monkeypatch.setattr(Corpus, "load", None)
    files = []
    for i in range(0, 100, 17):
        files.append(tmp_path / f"{i}.wav")
        soundfile.write(files[-1], test[i][0].numpy(), RATE)
    answers = [about["labels"][k] for k in network(signals[::17]).argmax(1).tolist()]
    assert [answer.label for answer in predict(moved, files)] == answers
