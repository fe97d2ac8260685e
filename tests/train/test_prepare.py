"""The corpus of a config, and the rate that the config says."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from time import sleep

import pytest
from filelock import FileLock
from omegaconf import OmegaConf

from sigconv.errors import UsageError
from sigconv.train.prepare import prepare_corpus


@pytest.mark.parametrize(
    ("made", "answer"),
    [
        ({"_target_": "sentences.write_words"}, "bars has 10 frames a second: leave it out, and choose mouth.rate=10"),
        ({"_target_": "tones.write_whistles", "words": ["low"]}, "whistles has 8000 samples a second: leave it out"),
    ],
)
def test_another_rate_is_told(tmp_path: Path, made: dict, answer: str) -> None:
    data = {"rate": 30, "prepare": {"folder": str(tmp_path / "corpus"), **made}}
    with pytest.raises(UsageError, match=f"data.rate=30, but {answer}"):
        prepare_corpus(OmegaConf.create({"data": data}))


@pytest.mark.parametrize(
    ("prepared", "given", "answer"),
    [
        ("fsdd", {"split": 0}, r"cross_corpus\.split=0: it must be text"),
        ("fsdd", {"root": 2024}, r"cross_corpus\.root=2024: it must be text"),
        ("folder", {"folder": 2024}, r"cross_corpus\.folder=2024: it must be text or null"),
        ("folder", {"rate": 0.4}, r"cross_corpus\.rate=0.4: it must be a whole number\."),
        (
            "bdg",
            {"examples": [10, 10]},
            r"cross_corpus\.examples=\[10, 10\]: it must be a list of 3, each a whole number",
        ),
    ],
)
def test_an_option_of_the_wrong_type_is_told_by_its_name(prepared: str, given: dict, answer: str) -> None:
    data = OmegaConf.load(Path(__file__).parents[2] / "conf" / "data" / f"{prepared}.yaml")
    config = OmegaConf.create({"cross_corpus": OmegaConf.merge(data, {"root": "mine"}, given)})
    with pytest.raises(UsageError, match=answer):
        prepare_corpus(config, "cross_corpus")


def test_another_preparation_is_waited_for_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "corpus"
    data = {"prepare": {"folder": str(folder), "_target_": "tones.write_whistles", "words": ["low"]}}
    held = Event()

    def other() -> None:
        with FileLock(f"{folder}.lock"):
            held.set()
            sleep(0.2)

    with ThreadPoolExecutor() as pool:
        pool.submit(other)
        held.wait()
        prepare_corpus(OmegaConf.create({"data": data}))
    assert capsys.readouterr().out == f"waiting    for another preparation of {folder}\n"
