"""The corpus of a config, and the rate that the config says."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from time import sleep
from typing import Any

import pytest
from filelock import FileLock
from omegaconf import OmegaConf
from tones import write_whistles

from sigconv.corpus import Corpus
from sigconv.errors import UsageError
from sigconv.train.prepare import prepare_corpus
from sigconv.train.run import Run


def prepared(data: Any, folder: Path) -> Corpus:
    config = OmegaConf.create({"data": data})
    return prepare_corpus(config, Run(folder / "run", config))


@pytest.mark.parametrize(
    ("made", "answer"),
    [
        ({"prepare": "sentences.write_words"}, "bars has 10 frames a second: leave it out, and choose mouth.rate=10"),
        ({"prepare": "data_prep.bdg.prepare", "examples": [3, 3, 3]}, "BDG, synthesised has 12000 samples a second: "),
    ],
)
def test_another_rate_is_told(tmp_path: Path, made: dict, answer: str) -> None:
    data = {"rate": 30, "folder": str(tmp_path / "corpus"), **made}
    with pytest.raises(UsageError, match=f"data.rate=30, but {answer}"):
        prepared(data, tmp_path)


@pytest.mark.parametrize(
    ("option", "given", "answer"),
    [
        ("fsdd", {"split": 0}, r"data\.split=0: it must be text"),
        ("fsdd", {"folder": 2024}, r"data\.folder=2024: it must be text"),
        ("folder", {"folder": 2024}, r"data\.folder=2024: it must be text or null"),
        ("folder", {"rate": 0.4}, r"data\.rate=0.4: it must be a whole number\."),
        (
            "bdg",
            {"examples": [10, 10]},
            r"data\.examples=\[10, 10\]: it must be a list of 3, each a whole number",
        ),
    ],
)
def test_an_option_of_the_wrong_type_is_told_by_its_name(tmp_path: Path, option: str, given: dict, answer: str) -> None:
    data = OmegaConf.load(Path(__file__).parents[2] / "conf" / "data" / f"{option}.yaml")
    with pytest.raises(UsageError, match=answer):
        prepared(OmegaConf.merge(data, {"root": "mine"} if option == "folder" else {}, given), tmp_path)


def test_another_preparation_is_waited_for_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "corpus"
    data = {"folder": str(folder), "prepare": "tones.write_whistles", "words": ["low"]}
    held = Event()

    def other() -> None:
        with FileLock(f"{folder}.lock"):
            held.set()
            sleep(0.2)

    with ThreadPoolExecutor() as pool:
        pool.submit(other)
        held.wait()
        prepared(data, tmp_path)
    assert capsys.readouterr().out == f"waiting    for another preparation of {folder}\n"


def test_a_run_that_goes_on_keeps_its_corpus_while_that_is_there(tmp_path: Path) -> None:
    data = {"folder": str(tmp_path / "second"), "prepare": "tones.write_whistles", "words": ["low"]}
    config = OmegaConf.create({"data": data})
    run = Run(tmp_path / "run", config)
    run.checkpoints.mkdir(parents=True)
    (run.checkpoints / "last.ckpt").touch()
    first = write_whistles(tmp_path / "first", ["low", "high"])
    run.remember(first)
    assert prepare_corpus(config, run).folder == first.folder
    first.folder.rename(tmp_path / "elsewhere")
    assert prepare_corpus(config, run).folder == tmp_path / "second"
