"""What is built from a config and a corpus."""

from collections.abc import Iterable
from pathlib import Path

import pytest
import torch
from sentences import config, write_sentences, write_words
from torch import Tensor, nn

from sigconv.train.build import build_data, fit_features


class Fitted(nn.Module):
    """Features that keep what they are fitted to."""

    def fit(self, signals: Iterable[Tensor]) -> None:
        self.signals = torch.cat(list(signals))

    def forward(self, x: Tensor) -> Tensor:
        return x


@pytest.mark.parametrize("before", [(), (nn.Identity(),)])
def test_features_are_fitted_to_the_training_examples_alone(tmp_path: Path, before: tuple[nn.Module, ...]) -> None:
    corpus, fitted = write_words(tmp_path / "films"), Fitted()
    fit_features(nn.Sequential(*before, fitted), build_data(config("data.seconds=0.7"), corpus))
    assert torch.equal(fitted.signals, corpus.split("train").signals())


def test_seconds_are_rounded_to_frames(tmp_path: Path) -> None:
    films = write_sentences(tmp_path / "films")
    assert [build_data(config(f"data.seconds={seconds}"), films).length for seconds in (1.7, 1.78)] == [17, 18]


def test_signals_of_one_length_need_no_seconds(tmp_path: Path) -> None:
    assert build_data(config("data.seconds=null"), write_words(tmp_path / "films")).length is None


def test_only_what_is_longer_is_cut(tmp_path: Path) -> None:
    corpus = write_words(tmp_path / "films")  # of 7 frames
    cut = [build_data(config(f"data.seconds={seconds}"), corpus).cut_short() for seconds in (0.7, 0.6)]
    assert cut == [0, sum(corpus.info.counts.values())]
