"""The speech recipes, from a command line to a run's folder: on tones, and on real words with their real configs."""

import shutil
from pathlib import Path

import pytest
import soundfile
from recipe_runs import Start, interrupt, same
from tones import whistle

from sigconv.corpus import Corpus

RECIPES = ["speech_spectrogram", "speech_waveform"]
QUICK = ("trainer.max_epochs=1", "trainer.limit_train_batches=2")


@pytest.mark.parametrize("recipe", RECIPES)
def test_it_learns_to_tell_tones_apart(run_speech: Start, recipe: str) -> None:
    answer = run_speech(recipe, "trainer.max_epochs=8", "optim.lr=0.01", "augment=none")
    assert answer.code == 0, answer.err
    metrics = answer.run.metrics
    assert metrics["test"]["accuracy"] > 0.9
    assert set(metrics["speakers"]) == {"ann", "bob"}
    assert "cross_corpus" not in metrics


@pytest.mark.report
@pytest.mark.parametrize("recipe", RECIPES)
def test_the_real_config_on_real_words(run_recipe: Start, shared_data: Path, tmp_path: Path, recipe: str) -> None:
    """Three digits by two speakers, with everything as it is in conf/; tested on another corpus too."""
    for name in ("0", "1", "5"):
        for file in (shared_data / "fsdd" / "recordings").glob(f"{name}_[gt]*_[0-9].wav"):
            _link(file, tmp_path / "fsdd" / "recordings" / file.name)
        _link(*2 * [shared_data / "fsdd" / "recordings" / f"{name}_theo_10.wav"], tmp_path / "fsdd" / "recordings")
    for word in ("zero", "one", "five"):
        for file in sorted((shared_data / "speech_commands" / word).iterdir()):
            _link(file, tmp_path / "words" / word / file.name)
    answer = run_recipe(
        recipe, "data.source=fsdd", "loader.batch_size=2", "cross_corpus=speech_commands", "cross_corpus.source=words",
        "cross_corpus.words=[five,one,zero]", *QUICK,
    )  # fmt: skip
    assert answer.code == 0, answer.err
    result = answer.run.metrics["cross_corpus"]
    assert result["corpus"].startswith("Speech Commands")
    assert set(result["by_class"]) == {"zero", "one", "five"}
    assert f"right on {result['corpus']} ({result['tested']:,} examples)" in answer.out
    assert "On another corpus" in (answer.run.folder / "report.html").read_text()


def test_weights_from_a_run_whose_test_was_another_are_told(run_speech: Start, tone_digits: Corpus) -> None:
    other = run_speech("speech_spectrogram", *QUICK)
    assert "starts from" not in other.out
    source = f"data.source={tone_digits.folder.parents[1] / 'recordings'}"
    answer = run_speech("speech_spectrogram", *QUICK, f"init={other.folder}", "data.split=speaker:bob", source)
    assert f"starts from {other.folder}: " in answer.out, answer.err
    assert "which was trained with data.split=official" in answer.out


def _link(file: Path, *place: Path) -> None:
    target = place[-1] if len(place) == 1 else place[-1] / file.name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.symlink_to(file)


@pytest.mark.parametrize("features", ["logmel_corpus", "sinc"])
def test_a_resumed_run_equals_an_uninterrupted_one(
    run_speech: Start, monkeypatch: pytest.MonkeyPatch, features: str
) -> None:
    """With augmentation on, and with features that are fitted or learned."""
    words = ("trainer.max_epochs=2", "augment=speech", f"features={features}")
    whole = run_speech("speech_spectrogram", *words)
    with monkeypatch.context() as patch:
        interrupt(patch, epoch=1, batch=2)
        stopped = run_speech("speech_spectrogram", *words)
    assert stopped.code == 130
    assert f"python recipes/speech_spectrogram.py resume={stopped.run.folder}" in stopped.out
    resumed = run_speech("speech_spectrogram", resume=stopped.run.folder)
    assert resumed.code == 0
    assert same(whole.run, resumed.run)


def test_anybodys_recordings(run_recipe: Start, tone_digits: Corpus, tmp_path: Path) -> None:
    train = tone_digits.split("train")
    for i, label in enumerate(train.labels.tolist()):
        if label < 2:
            place = tmp_path / "mine" / ("low", "high")[label] / f"{i}.flac"
            place.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(place, train[i][0].numpy(), 8000)
    answer = run_recipe(
        "speech_spectrogram", "data=folder", "data.root=mine", "data.rate=8000", "data.seconds=0.3",
        "loader.batch_size=4", *QUICK,
    )  # fmt: skip
    assert answer.code == 0, answer.err
    assert {true for true, *_ in answer.run.metrics["confusion"]} == {0, 1}


@pytest.mark.parametrize(
    ("words", "code", "answer"),
    [
        (["data=folder"], 1, "data.root has to be given: data.root=..."),
        (["data.source=recordings", "data.split=speaker:carol"], 1, "speaker:bob"),
        (["data.source=recordings", "data.split=oficial"], 1, "official"),
        (["data.seconds=0"], 1, "data.seconds=0: the length that the network hears must be more than 0"),
        (
            ["data.seconds=inf"],
            1,
            "data.seconds=inf: the length that the network hears must be more than 0, and finite",
        ),
        (["data=folder", "data.root=2024"], 1, "data.root=2024: it must be text; to give digits as text, quote them"),
        (["data.seconds=long"], 2, "data.seconds=long: it must be a number"),
        (["data.seconds=null", "features=logmel_corpus"], 1, "s: give the length that the network hears"),
        (["data=mnist"], 1, "taken from data.rate, which is not there with this choice of data"),
        (["data=grid"], 1, "taken from mouth.rate, which is not part of this recipe: choose another data"),
        (["features.spectrum.mels=4000"], 1, "mels"),
        (["features=waveform", "augment=none"], 1, "ndim"),
        (["features=waveform", "model=m5", "augment=speech"], 1, "SpecAugment takes"),
        (["model.layers=8C3-GAP-3N"], 1, "10"),
        (["cross_corpus=fsdd", "cross_corpus.folder=other", "cross_corpus.source=/nowhere"], 1, "/nowhere"),
        (["cross_corpus=fdsd"], 2, "Did you mean fsdd?"),
        (
            ["cross_corpus=speech_commands", "cross_corpus.source=words", "cross_corpus.words=[go,up]"],
            1,
            "none of them",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_answered_in_a_line(
    run_recipe: Start, tone_digits: Corpus, tmp_path: Path, words: list[str], code: int, answer: str
) -> None:
    shutil.copytree(tone_digits.folder, tmp_path / "data" / "fsdd" / "official")
    (tmp_path / "recordings").symlink_to(tone_digits.folder.parents[1] / "recordings")
    for i in range(60 if "cross_corpus.source=words" in words else 0):
        file = tmp_path / "words" / ("go", "up")[i % 2] / f"{i:08x}_nohash_0.wav"
        file.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(file, whistle(500 + i), 16000)
    given = run_recipe("speech_spectrogram", *words)
    assert given.code == code, given.err
    assert given.err.startswith("error: ")
    assert given.err.count("\n") == 1
    assert answer in given.err
    assert "Traceback" not in given.err
    assert given.folder is None  # a run that never began leaves nothing
