"""Sentences are learned, read and measured."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning import Trainer
from sentences import GRAMMAR, WORDS, config, write_sentences
from torch import nn

from sigconv.corpus import Corpus
from sigconv.ctc import Tokens, decoder_from
from sigconv.errors import UsageError
from sigconv.train import finish as finishing
from sigconv.train.build import build_data, build_task
from sigconv.train.finish import finish
from sigconv.train.measures import WORD_ERRORS, bootstrap_interval, shares
from sigconv.train.run import Run
from sigconv.train.task import Task
from sigconv.train.training import start_from, train
from sigconv.train.transcription import Transcription, character_errors, reading_errors, word_errors


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return write_sentences(tmp_path_factory.mktemp("corpus") / "films", reader={"height": 8})


def trained(corpus: Corpus, folder: Path, *changes: str) -> tuple[Run, Task, Trainer]:
    folder.mkdir()
    run = Run.create(folder, config(*changes), [])
    return run, *train(run.config, run, corpus)


def built(corpus: Corpus, *changes: str) -> Task:
    return build_task(config(*changes), build_data(config(*changes), corpus))


def test_it_learns_to_read(
    films: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    in_training = []
    monkeypatch.setattr(finishing, "write_report", lambda run, task, *_: in_training.append(task.model.training))
    run, task, trainer = trained(films, tmp_path / "run")
    finish(run, task, trainer, films)
    assert in_training == [False]  # for the report has questions to the network
    metrics = run.metrics
    assert metrics["test"]["wer"] == metrics["test"]["cer"] == metrics["test"]["wer_high"] == 0
    assert metrics["test"]["right"] == 1
    assert metrics["test"]["loss"] < 0.2
    assert metrics["decoder"] == "grammar"
    assert set(metrics["decoders"]) == {"greedy", "beam", "grammar"}
    assert metrics["transcripts"][1] == {"source": "test/1", "said": "bin soon", "read": "bin soon", "wrong": 0}
    assert metrics["speakers"] == {name: {"wer": 0.0, "tested": 5} for name in ("ann", "bob")}
    assert metrics["validation"]["wer"] == metrics["epochs"][-1]["validation/wer"] == 0
    assert metrics["epochs"][0]["train/wer"] > 0.5
    out = capsys.readouterr().out
    assert "test       0.00% word errors (0.00% to 0.00%), 100.00% of 10 sentences right; read by grammar" in out
    assert "validation loss" in out

    _, about = run.read_model()
    assert about["reader"] == {"height": 8}
    assert about["shape"] == [1, 20, 8, 8]
    read = decoder_from(about)(task.test_logits[1].log_softmax(0))
    assert read.text == "bin soon"
    assert math.exp(read.score) > 0.5


def test_the_best_epoch_is_the_one_with_the_fewest_word_errors(films: Corpus, tmp_path: Path) -> None:
    _, _, trainer = trained(films, tmp_path / "run", "trainer.max_epochs=2", "checkpoint=best")
    (best,) = [callback for callback in trainer.checkpoint_callbacks if getattr(callback, "monitor", None)]
    assert (best.monitor, best.mode) == ("validation/wer", "min")


def test_another_run_gives_its_weights(films: Corpus, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = built(films, "seed=5")
    run = Run.create(tmp_path, config(), [])
    run.write_model(first.state_dict(), {})
    still = ("trainer.max_epochs=1", "optim.schedule.max_lr=1e-12")
    _, other, _ = trained(films, tmp_path / "other", f"init={run.folder}", "tokens=characters", *still)
    assert f"starts from {run.folder}: 7 of 9 tensors" in capsys.readouterr().out  # the last layer has other tokens
    assert torch.allclose(other.model[1].weight, first.model[1].weight)
    assert not torch.allclose(built(films).model[1].weight, first.model[1].weight)
    stranger = Transcription(nn.Sequential(nn.Linear(1, 1)), features=nn.Identity(), tokens=Tokens(["", "a"], "words"))
    with pytest.raises(UsageError, match=rf"init={run.folder}: none of its weights has the name and shape"):
        start_from(stranger, run)


@pytest.mark.parametrize(
    ("changes", "answer"),
    [
        (["data.seconds=1.6"], "train/2 lasts 1.7 s, and a sentence is not cut off: give data.seconds=1.7 or more"),
        (["data.seconds=null"], "last from 1.3 to 1.7 s: give the length"),
        (["mixup=0.2"], "mixup=0.2: that is for corpora with classes; with sentences choose mixup=0"),
        (["label_smoothing=0.1"], "label_smoothing=0.1: that is for corpora with classes"),
        (
            ["model.sequence=false"],
            "an answer for each frame, tokens x frames, and the network gives 5: .*model=lipnet",
        ),
        (["model.stride=20"], "train/0: its text needs 2 frames at least, and the network gives 1"),
        (["model.stride=2", "tokens=characters"], "/1: its text needs 9 .*, and the network gives 8 in its 1.5 s"),
        (["decoder=lattice"], "no decoder 'lattice'. There are greedy, beam, grammar"),
        (["tokens=syllables"], "no value of tokens 'syllables'. There are characters, words"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_does_not_go_with_sentences_is_told(films: Corpus, changes: list[str], answer: str) -> None:
    with pytest.raises(UsageError, match=answer):
        built(films, *changes)


def test_a_word_that_was_never_heard_is_told(tmp_path: Path) -> None:
    corpus = write_sentences(tmp_path / "films", ["bin now", "set now"], grammar={}, unheard="bin soon")
    answer = r"test/9, in the test split: 'bin soon' has 'soon', which is none of the words known"
    with pytest.raises(UsageError, match=answer + r" from training\. Take tokens=characters, or divide the clips"):
        built(corpus, "decoder=greedy")
    answer = r"has 'e', 's', 't', which is none of the characters known from training\. Write the text in those, or"
    with pytest.raises(UsageError, match=answer):
        built(write_sentences(tmp_path / "spelled", ["bin now"], grammar={}, unheard="set"), "tokens=characters")


def test_a_grammar_is_needed_for_its_decoder(films: Corpus, tmp_path: Path) -> None:
    corpus = write_sentences(tmp_path / "films", grammar={})
    with pytest.raises(UsageError, match="the corpus has no grammar; choose greedy or beam"):
        built(corpus)
    assert built(films, "decoder=null").decoder == "grammar"
    assert built(corpus, "decoder=null").about() == built(corpus, "decoder=beam").about() == {
        "tokens": ("", "bin", "now", "set", "soon"), "by": "words", "grammar": {}, "decoder": "beam",
    }  # fmt: skip


def test_rates_and_their_intervals() -> None:
    said = ["bin blue now", "set red soon"] * 50
    half = ["bin blue now", "set soon"] * 50  # a word of six left out, and 4 of 24 characters
    rates = reading_errors(half, said)
    assert rates["wer"] == pytest.approx(1 / 6)
    assert rates["cer"] == pytest.approx(4 / 24)
    assert rates["right"] == 0.5
    # Half the clips have an error in three words: the deviation of the mean of 100 is 1/6 / 10.
    assert rates["wer_low"] == pytest.approx(1 / 6 - 1.96 / 60, abs=0.006)
    assert rates["wer_high"] == pytest.approx(1 / 6 + 1.96 / 60, abs=0.006)
    assert reading_errors(half, said) == rates
    assert reading_errors(["a b c d"], ["a"])["wer"] == 3  # inserted words count
    assert reading_errors(["", "a b c"], ["a", "a b c"])["wer"] == 1 / 4  # of all words, not of each text


def test_rates_of_texts_of_several_lengths_are_of_all_words_together() -> None:
    counts, totals = np.array([1, 0] * 50), np.array([1, 9] * 50)  # the short ones are misread
    by_speaker = shares(WORD_ERRORS, ["ann", "ann", None], counts[:3].tolist(), totals[:3].tolist())
    assert by_speaker == {"ann": {"wer": 0.1, "tested": 2}}
    low, high = bootstrap_interval(counts, totals)
    assert low < 0.1 < high < 0.2


def test_the_result_is_that_of_the_decoder(films: Corpus) -> None:
    tokens = Tokens(["", *WORDS], "words")
    task = Transcription(nn.Identity(), features=nn.Identity(), tokens=tokens, grammar=GRAMMAR, decoder="grammar")
    task.test_logits = torch.zeros(films.info.counts["test"], len(tokens), 20)
    task.test_logits[:, 0] = 5  # blanks everywhere, so that a decoder without a grammar reads nothing
    results = task.results(films)
    assert results["decoders"]["greedy"]["wer"] == 1
    assert results["test"] == results["decoders"]["grammar"] != results["decoders"]["greedy"]
    assert all(transcript["read"] for transcript in results["transcripts"])


def test_errors_are_counted_in_empty_texts_too() -> None:
    read, said = ["a bc", "", "", "bin  now"], ["", "a bc", "", "bin now"]
    assert [counts.tolist() for counts in word_errors(read, said)] == [[2, 2, 0, 0], [0, 2, 0, 2]]
    assert [counts.tolist() for counts in character_errors(read, said)] == [[4, 4, 0, 1], [0, 4, 0, 7]]


def test_the_loss_is_that_of_all_paths() -> None:
    """Two frames, one token: three of the nine paths spell it; padding is left out of the mean."""
    task = Transcription(nn.Identity(), features=nn.Identity(), tokens=Tokens(["", "a", "b"], "words"))
    logits = torch.zeros(2, 3, 2)
    targets = torch.tensor([[1, -1], [1, 2]])
    assert task.loss(logits, targets).item() == pytest.approx(-(math.log(3 / 9) + math.log(1 / 9) / 2) / 2)
    assert task.answers(logits, targets) == (["", ""], ["a", "a b"])


def test_grammar_words_are_tokens_even_where_nobody_said_them(tmp_path: Path) -> None:
    corpus = write_sentences(tmp_path / "films", ["bin now"], grammar=GRAMMAR)
    data = build_data(config(), corpus)
    assert data.tokens is not None
    assert data.tokens.names[1:] == tuple(sorted(WORDS))
    assert np.unique(data.labels(corpus.split("test"))).tolist() == sorted(data.tokens.encode("bin now"))
