"""Classes: examples that are mixed, and how a test is broken down."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from networks import Kept
from torch import nn
from torch.nn import functional as F

from sigconv.corpus import Corpus, Example, write_corpus
from sigconv.errors import UsageError
from sigconv.train.batches import Batch
from sigconv.train.build import build_data, build_task
from sigconv.train.classification import Classification, by_class


def test_two_examples_are_mixed_into_one() -> None:
    """One-hot inputs that are their own logits: what the network sees is what it should answer."""
    network = Kept()
    task = Classification(network, features=nn.Identity(), classes=8, mixup=0.5, label_smoothing=0.1)
    task.configure_optimizers = lambda: None
    shares = set()
    for step in range(20):
        batch = Batch(torch.eye(8), *[torch.arange(8)] * 3)
        loss = task.training_step(batch, step)
        mixed = network.seen
        assert torch.allclose(mixed.sum(1), torch.ones(8))
        assert ((mixed > 0).sum(1) <= 2).all()
        assert torch.allclose(loss, F.cross_entropy(mixed, mixed, label_smoothing=0.1))
        shares |= {round(share, 3) for share in mixed.diagonal().tolist()}
        assert task.metrics["train/accuracy"].compute() == 1  # the larger part is what the network answers
    assert len(shares) > 10
    assert min(shares) < 0.5 < max(shares)
    task.validation_step(batch, 0)
    assert network.seen.equal(torch.eye(8))


def test_nothing_is_mixed_unless_it_is_asked_for() -> None:
    network = Kept()
    task = Classification(network, features=nn.Identity(), classes=4)
    loss = task.training_step(Batch(torch.eye(4), *[torch.arange(4)] * 3), 0)
    assert network.seen.equal(torch.eye(4))
    assert torch.allclose(loss, F.cross_entropy(torch.eye(4), torch.arange(4)))
    with pytest.raises(UsageError, match="mixup=-1: it is 0, or the alpha of a Beta distribution"):
        Classification(network, features=nn.Identity(), classes=4, mixup=-1)


def test_classes_of_different_size_have_a_mean_of_their_own() -> None:
    """Nine of ten are of a class that is always answered: that is no success."""
    task = Classification(nn.Identity(), features=nn.Identity(), classes=3)
    task.test_logits = torch.tensor([[1.0, 0.0, 0.0]] * 10)
    confusion = torch.tensor([[9, 0, 0], [1, 0, 0], [0, 0, 0]])
    test = {"accuracy": 0.9, "wrong": 1, **by_class(confusion)}
    assert test["mean_recall"] == 0.5  # of the two that were tested
    assert "(1 of 10 wrong; 50.00% as the mean over classes" in task.in_words({"test": test})
    even = test | by_class(torch.tensor([[6, 0, 0], [0, 4, 0], [0, 0, 0]]))
    assert task.in_words({"test": even}).endswith("(1 of 10 wrong)")


def test_tested_logits_are_in_the_order_of_the_split_whatever_the_dtype_of_the_network() -> None:
    task = Classification(nn.Identity(), features=nn.Identity(), classes=2).bfloat16()
    places = torch.randperm(1000, generator=torch.Generator().manual_seed(0))
    for part in places.split(300):
        task.outputs.update(part[:, None].float(), part)
    assert task.outputs.compute().flatten().tolist() == list(range(1000))


def test_one_class_alone_is_refused(digits: Corpus, tmp_path: Path) -> None:
    signal = digits.split("train")[0].numpy()
    examples = [Example(signal, split, split, label=0) for split in ("train", "validation", "test")]
    corpus = write_corpus(tmp_path / "corpus", replace(digits.info, labels=["seven"]), examples)
    with initialize_config_dir(str(Path(__file__).parents[2] / "conf"), version_base="1.3"):
        config = compose("mnist")
    with pytest.raises(UsageError, match="all is of one class, 'seven'; add others"):
        build_task(config, build_data(config, corpus))


def test_accuracies_of_the_classes_of_a_grammar(digits: Corpus, tmp_path: Path) -> None:
    """Digits 0 to 3 are low and 4 is high; the network answers 0 for ever."""
    info = replace(digits.info, grammar={"low": ["0", "1", "2", "3"], "high": ["4"], "unused": ["x"]})
    test = digits.split("test")
    labels = test.labels[:40].tolist()
    examples = [Example(test[i].numpy(), "test", str(i), label, speaker="ann") for i, label in enumerate(labels)]
    corpus = write_corpus(tmp_path / "corpus", info, examples)
    task = Classification(nn.Identity(), features=nn.Identity(), classes=10)
    task.test_logits = torch.eye(10)[:1].repeat(40, 1)
    results = task.results(corpus)
    assert results["test"].pop("mean_recall") == pytest.approx(0.1)
    assert results["test"] == {"accuracy": 0.1, "wrong": 36, "largest_class": 4, "smallest_class": 4}
    assert results["word_classes"] == {"low": {"accuracy": 0.25, "tested": 16}, "high": {"accuracy": 0.0, "tested": 4}}
    assert list(results["word_classes"]) == ["low", "high"]
    assert results["speakers"] == {"ann": {"accuracy": 0.1, "tested": 40}}
    assert results["confusion"] == [[i, 0, 4] for i in range(10)]
    assert "word_classes" not in task.results(digits)
