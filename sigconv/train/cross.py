"""Tests a trained network on another corpus with the same words."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sigconv.corpus import Corpus, CorpusInfo, Split
from sigconv.errors import UsageError
from sigconv.signals.length import fit_length
from sigconv.signals.speech.waveform import as_waveform
from sigconv.words import by_x

BATCH = 256


@torch.inference_mode()
def cross_test(network: nn.Module, about: Mapping[str, Any], corpus: Corpus) -> dict[str, Any]:
    """Accuracy over all splits of `corpus`, since none was used in training; `seen` in the result says whether,
    by its name or its files', it is from the same dataset as the network's own corpus.

    Classes are matched by name, and examples of classes that the network does not know are left out; its answer may be
    any class that it knows. Sound is resampled to the network's rate.

    Args:
        network: raw signals (B, *shape) -> logits (B, classes), in evaluation.
        about: the network's corpus, as recorded in a run's folder: name, split_hash, kind, labels, rate, shape, dtype
            and reader.

    Raises UsageError if the kinds of signal differ, videos were made with other settings, or they share no class.
    """
    check_comparable(about, corpus)
    number = {label: i for i, label in enumerate(about["labels"])}
    known = [label for label in corpus.labels if label in number]
    device = next(network.parameters()).device
    tested: Counter[str] = Counter()
    right: Counter[str] = Counter()
    for name in corpus.splits:
        split = corpus.split(name)
        words = [corpus.labels[label] for label in split.labels.tolist()]
        wanted = [i for i, word in enumerate(words) if word in number]
        for first in range(0, len(wanted), BATCH):
            places = wanted[first : first + BATCH]
            signals = _signals(split, places, corpus.info, about).to(device)
            answers = network(signals).argmax(1).tolist()
            labels = [words[i] for i in places]
            tested.update(labels)
            right.update(label for label, answer in zip(labels, answers, strict=True) if number[label] == answer)
    return {
        "corpus": corpus.info.name,
        "accuracy": right.total() / tested.total(),
        "tested": tested.total(),
        "left_out": sum(corpus.info.counts.values()) - tested.total(),
        "seen": _of_one_dataset(corpus.info, about),
        "split_hash": corpus.info.split_hash,
        "by_class": {label: right[label] / tested[label] for label in known if tested[label]},
    }


def _of_one_dataset(info: CorpusInfo, about: Mapping[str, Any]) -> bool:
    """Whether two corpora are: they have the same name before the task or the split, or the same files."""
    return info.name.split(",")[0] == about["name"].split(",")[0] or info.split_hash == about["split_hash"]


def check_comparable(about: Mapping[str, Any], other: Corpus) -> None:
    """Raises UsageError if a network trained on the corpus described by `about` cannot be tested on `other`."""
    kind, labels, name = about["kind"], about["labels"], other.info.name
    if not labels:
        raise UsageError(f"The network reads sentences; test one that tells words apart on {name}.")
    if other.info.kind != kind:
        raise UsageError(f"{name} is of kind {other.info.kind}, but the network is for {kind}.")
    if kind == "video":
        _check_videos(about, other.info)
    if not set(labels) & set(other.labels):
        classes = f"the classes {', '.join(other.labels)}" if other.labels else "texts in place of classes"
        raise UsageError(f"{name} has {classes}, and the network knows none of them, but {', '.join(labels)}.")
    numbers = [i for i, label in enumerate(other.labels) if label in labels]
    if not any(np.isin(other.split(split).labels, numbers).any() for split in other.splits):
        raise UsageError(f"{name} holds no example of a class that the network knows.")


def _check_videos(about: Mapping[str, Any], other: CorpusInfo) -> None:
    """Raises UsageError if frame rates differ, since videos are not resampled, or if the readers' settings do."""
    own, others = {"rate": about["rate"]}, {"rate": other.rate}
    if about.get("reader") and other.reader:
        own, others = {**about["reader"], **own}, {**other.reader, **others}
    # The model is a file, whose path may differ between machines.
    differing = [name for name in own if name != "model" and own[name] != others.get(name)]
    if differing:
        found, wanted = (", ".join(f"{name} {of.get(name)}" for name in differing) for of in (others, own))
        raise UsageError(
            f"The videos of {other.name} have {found}, but the network takes those with {wanted}: prepare them again "
            f"by their script in data_prep, with the network's {' and '.join(f'--{name}' for name in differing)}."
        )


def in_words(result: Mapping[str, Any]) -> str:
    others = f"; {result['left_out']:,} of other words left out" if result["left_out"] else ""
    seen = "; the network was trained on a part of them" if result["seen"] else ""
    return f"{result['accuracy']:.2%} right on {result['corpus']} ({result['tested']:,} examples{others}{seen})"


def _signals(split: Split, places: Sequence[int], info: CorpusInfo, about: Mapping[str, Any]) -> Tensor:
    """(B, *shape), as the network takes them."""
    signals = [split[i] for i in places]
    if about["kind"] == "audio" and info.rate != about["rate"]:
        signals = [_resample(signal, info.rate, about["rate"]) for signal in signals]
    if about["kind"] != "image":
        signals = [fit_length(signal, about["shape"][1], about["rate"]) for signal in signals]
    for signal in signals:
        if list(signal.shape) != list(about["shape"]):
            raise UsageError(
                f"{info.name} has signals of {by_x(signal.shape)}, but the network takes {by_x(about['shape'])}."
            )
    return torch.stack(signals)


def _resample(signal: Tensor, rate: float | None, wanted: float) -> Tensor:
    """(1, T) of any dtype to another rate, in floating point."""
    from torchaudio.functional import resample

    assert rate is not None
    return resample(as_waveform(signal[None])[0], round(rate), round(wanted))
