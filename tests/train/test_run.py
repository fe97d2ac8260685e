"""A run and its corpus."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf
from tones import damage, write_whistles

from sigconv.errors import UsageError
from sigconv.train.run import Run, new_folder


def test_a_damaged_corpus_is_refused(tmp_path: Path) -> None:
    corpus = write_whistles(tmp_path / "whistles", ["low", "high"])
    run = Run.create(new_folder(tmp_path / "run"), OmegaConf.create({}), [])
    run.remember(corpus)
    assert run.corpus().folder == corpus.folder
    path = damage(corpus)
    with pytest.raises(UsageError, match=rf"{path} is damaged \(sha256 "):
        run.corpus()
