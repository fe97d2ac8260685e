"""The corpus of a config, and the rate that the config says."""

from pathlib import Path

import pytest
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
    config = OmegaConf.create({"rate": 30, "prepare": {"folder": str(tmp_path / "corpus"), **made}})
    with pytest.raises(UsageError, match=f"data.rate=30, but {answer}"):
        prepare_corpus(config)
