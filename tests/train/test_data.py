"""Batches: which examples come when, from memory and from disk, in one process and in several."""

from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from sentences import write_sentences
from torch.utils.data import DataLoader

from sigconv.corpus import Corpus
from sigconv.ctc import Tokens
from sigconv.errors import UsageError
from sigconv.signals.length import cut, fit_length
from sigconv.train.batches import Batch, BatchOrder, MemoryLoader, derive_seed
from sigconv.train.data import CorpusData, DiskDataset, Fit


def batches(
    corpus: Corpus, split: str = "train", epoch: int = 0, rank: int = 0, world: int = 1, **options
) -> list[Batch]:
    data = CorpusData(corpus, **{"batch_size": 32, "seed": 7, **options})
    strategy = SimpleNamespace(root_device=torch.device("cpu"))
    data.trainer = SimpleNamespace(global_rank=rank, world_size=world, strategy=strategy)
    data.setup("test" if split == "test" else "fit")
    loader = {"train": data.train_dataloader, "validation": data.val_dataloader, "test": data.test_dataloader}[split]()
    loader.batch_sampler.sampler.set_epoch(epoch)  # as Lightning does
    return list(loader)


@pytest.mark.parametrize("workers", [0, 1])
def test_memory_and_disk_give_the_same_batches(digits: Corpus, workers: int) -> None:
    for epoch in (0, 1):
        memory = batches(digits, epoch=epoch, in_memory=True)
        disk = batches(digits, epoch=epoch, in_memory=False, workers=workers)
        assert len(memory) == len(disk) == 5
        for one, other in zip(memory, disk, strict=True):
            assert all(torch.equal(a, b) and a.dtype == b.dtype for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("in_memory", [True, False])
def test_two_processes_share_the_training_examples(digits: Corpus, in_memory: bool) -> None:
    options = {"world": 2, "in_memory": in_memory, "workers": 0}
    places = [batch.place for rank in range(2) for batch in batches(digits, rank=rank, **options)]
    assert torch.equal(torch.cat(places).sort().values, torch.arange(len(digits.split("train"))))


def test_the_examples_are_those_of_the_split(digits: Corpus) -> None:
    signals, labels = digits.split("train").signals(), digits.split("train").labels
    for batch in batches(digits):
        assert torch.equal(batch.signal, signals[batch.place])
        assert torch.equal(batch.label, labels[batch.place])


def test_automatic_choice_is_by_size(digits: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    data = CorpusData(digits, batch_size=8, seed=0)
    data.trainer = SimpleNamespace(
        global_rank=0, world_size=1, strategy=SimpleNamespace(root_device=torch.device("cpu"))
    )
    monkeypatch.setattr("sigconv.train.data.IN_MEMORY_BYTES", 30 * 28 * 28)  # the validation split, to the byte
    data.setup("fit")
    assert isinstance(data.val_dataloader(), MemoryLoader)
    assert not isinstance(data.train_dataloader(), MemoryLoader)


def test_every_epoch_is_another_permutation_that_the_seed_decides() -> None:
    def order(seed: int, epoch: int) -> list[int]:
        batches = BatchOrder(50, 8, seed=seed)
        batches.set_epoch(epoch)
        return torch.cat(list(batches)).tolist()

    assert sorted(order(0, 0)) == list(range(50))
    assert order(0, 3) == order(0, 3)
    assert len({tuple(order(seed, epoch)) for seed in (0, 1) for epoch in (0, 1, 2)}) == 6


def test_validation_and_test_keep_their_order(digits: Corpus) -> None:
    for split, count in (("validation", 30), ("test", 40)):
        assert torch.cat([batch.place for batch in batches(digits, split)]).tolist() == list(range(count))


@pytest.mark.parametrize(
    ("examples", "batch_size", "world"), [(150, 32, 1), (50, 8, 3), (7, 7, 1), (10, 3, 3), (9, 1, 4)]
)
def test_batches_are_even_and_processes_share_all_examples(examples: int, batch_size: int, world: int) -> None:
    shares = [list(BatchOrder(examples, batch_size, seed=0, rank=rank, world=world)) for rank in range(world)]
    sizes = [len(batch) for share in shares for batch in share]
    assert len({len(share) for share in shares}) == 1  # else the processes would wait for each other for ever
    assert min(sizes) >= 1
    assert max(sizes) <= max(batch_size, 2)
    assert sorted(i for share in shares for batch in share for i in batch.tolist()) == list(range(examples))
    if world == 1:
        assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("batch_size", [0, -1, 51])
def test_impossible_batch_sizes(batch_size: int) -> None:
    with pytest.raises(UsageError, match=f"loader.batch_size={batch_size}: it is between 1 and the 50 examples"):
        BatchOrder(50, batch_size)


@pytest.mark.parametrize(("examples", "batch_size", "world"), [(3, 1, 4), (3, 2, 4), (0, 1, 1)])
def test_a_split_of_less_than_one_example_for_each_process(examples: int, batch_size: int, world: int) -> None:
    with pytest.raises(UsageError, match=f"an example for each process, and one has {examples} for {world}: choose"):
        BatchOrder(examples, batch_size, world=world)


def test_a_split_smaller_than_a_batch_is_learned_from_in_steps(
    digits: Corpus, capsys: pytest.CaptureFixture[str]
) -> None:
    examples = len(digits.split("train"))
    for batch_size in (examples + 1, examples // 8 + 1):
        sizes = [len(batch.label) for batch in batches(digits, batch_size=batch_size, least_steps=8)]
        assert sum(sizes) == examples
        assert len(sizes) in (8, 9)
        assert f"{examples} examples: batches of {examples // 8}, not of" in capsys.readouterr().out
    assert len(batches(digits, batch_size=examples // 8, least_steps=8)) in (8, 9)
    assert len(batches(digits, batch_size=examples)) == 1
    assert not capsys.readouterr().out
    with pytest.raises(UsageError, match=r"loader\.least_steps=0: it is 1 or more"):
        batches(digits, least_steps=0)


def test_derived_seeds_differ_by_every_part_and_by_their_number() -> None:
    seeds = [
        derive_seed(*parts) for parts in [(0,), (0, 0), (0, 0, 0), (0, 1), (1, 0), (1, 0, 0), (0, 0, 1), (0, 1, 0)]
    ]
    assert len(set(seeds)) == len(seeds)


@pytest.mark.parametrize("length", [1000, 3000])
def test_signals_of_several_lengths_become_one(tone_digits: Corpus, length: int) -> None:
    lengths = {shape[1] for shape in tone_digits.split("train").shapes.tolist()}
    assert min(lengths) < 3000 < max(lengths)
    memory = batches(tone_digits, length=length, in_memory=True)
    disk = batches(tone_digits, length=length, in_memory=False)
    split = tone_digits.split("train")
    for one, other in zip(memory, disk, strict=True):
        assert one.signal.shape[1:] == (1, length)
        assert all(torch.equal(a, b) and a.dtype == b.dtype for a, b in zip(one, other, strict=True))
        assert all(
            torch.equal(signal, fit_length(split[i], length, tone_digits.info.rate))
            for i, signal in zip(one.place.tolist(), one.signal, strict=True)
        )


def test_where_a_word_begins_is_looked_for_once(tone_digits: Corpus) -> None:
    split, found = tone_digits.split("train"), []
    dataset = DiskDataset(split, split.labels, Fit(900, lambda signal, length: found.append(signal) or 40))
    loader = DataLoader(dataset, batch_sampler=BatchOrder(len(split), 8), collate_fn=lambda batch: batch, num_workers=1)
    for batch in loader:  # in another process
        assert torch.equal(batch.signal[0], cut(split[batch.place[0]], 40, 900))
    assert not found
    assert all(dataset.begins == 40)
    assert torch.equal(dataset.__getitems__(torch.tensor([3])).signal[0], cut(split[3], 40, 900))
    assert not found


def test_several_lengths_without_one_to_bring_them_to_are_refused(tone_digits: Corpus) -> None:
    with pytest.raises(UsageError, match=r"shape"):
        batches(tone_digits)


def test_the_size_in_memory_is_that_of_what_is_loaded(tone_digits: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    data = CorpusData(tone_digits, batch_size=8, seed=0, length=500)
    data.trainer = SimpleNamespace(
        global_rank=0, world_size=1, strategy=SimpleNamespace(root_device=torch.device("cpu"))
    )
    monkeypatch.setattr("sigconv.train.data.IN_MEMORY_BYTES", len(tone_digits.split("validation")) * 500 * 2)
    data.setup("fit")
    assert isinstance(data.val_dataloader(), MemoryLoader)
    assert not isinstance(data.train_dataloader(), MemoryLoader)


def test_the_training_signals_come_in_order_and_of_one_length(tone_digits: Corpus) -> None:
    data = CorpusData(tone_digits, batch_size=7, seed=0, length=900)
    signals = tone_digits.split("train").signals(partial(fit_length, length=900, rate=tone_digits.info.rate))
    assert torch.equal(torch.cat(list(data.all_signals(data.corpus.split("train")))), signals)


def test_texts_become_padded_numbers_and_films_end_in_the_dark(tmp_path: Path) -> None:
    corpus = write_sentences(tmp_path / "films", ["bin now", "set soon"])
    tokens = Tokens.of(corpus.split("train").texts, "characters")
    options = {"length": 20, "tokens": tokens, "batch_size": 8}
    memory = batches(corpus, in_memory=True, **options)
    disk = batches(corpus, in_memory=False, **options)
    train = corpus.split("train")
    for one, other in zip(memory, disk, strict=True):
        assert all(torch.equal(a, b) and a.dtype == b.dtype for a, b in zip(one, other, strict=True))
        for signal, label, i in zip(*one[:2], one.place.tolist(), strict=True):
            film, text = train[i], train.texts[i]
            assert torch.equal(signal[:, : film.shape[1]], film)
            assert not signal[:, film.shape[1] :].any()
            assert label.tolist() == tokens.encode(text) + [-1] * (8 - len(text))  # "set soon" is the longest
