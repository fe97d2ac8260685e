"""A run used on files, with nothing else there."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest
import torch
from omegaconf import OmegaConf
from recipe_runs import Answer

from sigconv.corpus import Corpus
from sigconv.errors import UsageError
from sigconv.train.predict import load, predict
from sigconv.train.run import Run

Start = Callable[..., Answer]


@pytest.fixture
def moved_run(run_mnist: Start, tmp_path: Path) -> Path:
    """A trained run's folder, taken away from where it was made."""
    run = run_mnist("trainer.max_epochs=8", "optim.lr=0.02", "augment=none").run
    return Path(shutil.move(run.folder, tmp_path / "elsewhere"))


def test_files_are_told_apart_from_the_folder_alone(
    moved_run: Path, digits: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Corpus, "load", None)
    monkeypatch.setattr("sigconv.signals.digits.read_digit", lambda file: (picture(file), file.endswith("light.png")))
    test = digits.split("test")

    def picture(file: str) -> torch.Tensor:
        return test[int(Path(file).stem.split("_")[0])][0]

    network, about = load(moved_run)
    assert about == {"name": "bars", "kind": "image", "labels": list("0123456789"), "rate": None}
    answers = list(predict(moved_run, ["3_dark.png", "4_light.png"]))
    for number, answer in zip((3, 4), answers, strict=True):
        probabilities = network(test[number][0][None]).softmax(1)[0]
        assert answer.probability == pytest.approx(probabilities.max().item(), rel=1e-5)
        assert answer.label == str(probabilities.argmax().item())
        assert [p for _, p in answer.top] == sorted((p for _, p in answer.top), reverse=True)
        assert answer.error is None
    assert answers[0].notes == []
    assert "inverted" in answers[1].notes[0]


def test_it_gives_what_training_measured(moved_run: Path, digits: Corpus) -> None:
    """The saved features and weights are those that were tested."""
    signals, labels = digits.split("test").tensors()
    network, _ = load(moved_run)
    with torch.no_grad():
        right = (network(signals).argmax(1) == labels).float().mean().item()
    assert right == pytest.approx(Run.open(moved_run).metrics["test"]["accuracy"])


def test_one_bad_file_does_not_stop_the_others(moved_run: Path, digits: Corpus, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.png", tmp_path / "bad.png"
    pixels = digits.split("test")[0][0][0].numpy()
    cv2.imwrite(str(good), cv2.rectangle(0 * pixels, (12, 4), (15, 23), 255, -1))
    bad.write_bytes(b"no picture")
    missing, broken, fine = predict(moved_run, [tmp_path / "missing.png", bad, good])
    assert missing.label is None
    assert "missing.png" in missing.error
    assert "bad.png" in broken.error
    assert fine.error is None
    assert fine.label in digits.labels


def test_an_unfinished_run_and_a_stranger_are_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere is no run's folder: it holds no config.yaml"):
        predict(tmp_path / "nowhere", [])
    run = Run.create(tmp_path, OmegaConf.create({"recipe": "mnist"}), [])
    with pytest.raises(UsageError, match="not finished"):
        predict(run.folder, [])


@pytest.mark.parametrize("target", ["os.system", "sigconv.train.run.subprocess.run", "torch.nn.Identity"])
def test_a_run_from_a_stranger_cannot_call_what_it_likes(moved_run: Path, target: str) -> None:
    config = OmegaConf.load(moved_run / "config.yaml")
    config.model.activation = {"_target_": target, "args": "true"}
    OmegaConf.save(config, moved_run / "config.yaml")
    with pytest.raises(UsageError, match=f"builds {target}, which is not part of sigconv"):
        predict(moved_run, [])


def test_using_a_run_does_not_load_what_trains(moved_run: Path) -> None:
    code = (
        f"import sys; import sigconv.train.predict as p; p.load({str(moved_run)!r}); print('lightning' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"
