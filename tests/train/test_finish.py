"""What a finished run leaves: its report, and all that reads a file for it."""

import re
from pathlib import Path

import pytest
import torch
from sentences import config, write_sentences, write_words

from sigconv.corpus import Corpus
from sigconv.inference.predict import load
from sigconv.train.finish import finish
from sigconv.train.run import Run
from sigconv.train.training import train

BATCH_NORM = (
    "features._target_=sigconv.signals.lips.normalise.ClipNorm",
    "model._target_=sigconv.notation.build",
    "model.layers=4C3-16N-N",
    "model.norm=batch",
    "model.padding=valid",
)


def finished(corpus: Corpus, folder: Path, *changes: str) -> tuple[Run, list[str]]:
    """A run, and the headings of its report."""
    folder.mkdir()
    run = Run.create(folder, config("trainer.max_epochs=2", *changes), [])
    finish(run, *train(run.config, run, corpus), corpus)
    return run, re.findall(r"<h2[^>]*>\s*([^<]+?)\s*<", (folder / "report.html").read_text())


def test_words_have_a_report_and_carry_the_model_of_their_reader(tmp_path: Path) -> None:
    """Neurons that are normalised over a batch answer for one film at a time only in evaluation."""
    model = tmp_path / "found_by.onnx"
    model.write_bytes(b"network")
    corpus = write_words(tmp_path / "films", reader={"locator": "yunet", "model": str(model)})
    run, headings = finished(corpus, tmp_path / "run", "data.seconds=0.7", *BATCH_NORM)
    assert {"Confusions", "Worst mistakes", "Where the network looked"} <= set(headings)
    moved = run.folder.rename(tmp_path / "elsewhere")
    model.unlink()
    _, about = load(moved)
    assert about["split_hash"] == corpus.info.split_hash
    assert about["reader"] == {"locator": "yunet", "model": str(moved / "reader.onnx")}
    assert Path(about["reader"]["model"]).read_bytes() == b"network"


def test_validation_is_that_of_the_weights_that_are_kept(tmp_path: Path) -> None:
    corpus = write_words(tmp_path / "films")
    run, _ = finished(corpus, tmp_path / "run", "data.seconds=0.7", "checkpoint=best", *BATCH_NORM)
    state = torch.load(run.checkpoints / "best.ckpt", weights_only=True)
    kept = run.metrics["epochs"][state["epoch"]]
    assert state["epoch"] == 0  # of equals the first
    assert run.metrics["validation"]["loss"] == kept["validation/loss"]


def test_sentences_have_a_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpus = write_sentences(tmp_path / "films", reader={"locator": "yunet", "model": "gone.onnx"})
    run, headings = finished(corpus, tmp_path / "run")
    assert {"Decoders", "Worst transcripts", "Where the network looked"} <= set(headings)
    assert "gone.onnx, by which the corpus was read, no longer exists" in capsys.readouterr().out
    assert run.metrics["decoder"] == "grammar"
