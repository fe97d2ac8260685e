"""Builds the data and the task that a run's config describes."""

import math
from collections.abc import Iterable
from typing import Protocol, runtime_checkable

import torch
from lightning import seed_everything
from omegaconf import DictConfig
from torch import Tensor, nn

from sigconv.corpus import Corpus
from sigconv.ctc import Tokens
from sigconv.ctc.padding import frames_of
from sigconv.ctc.tokens import frames_needed
from sigconv.errors import UsageError
from sigconv.train.classification import Classification
from sigconv.train.data import CorpusData, lengths_of
from sigconv.train.instantiate import instantiate
from sigconv.train.network import build_network, output_shape
from sigconv.train.options import check_options
from sigconv.train.task import Task
from sigconv.train.transcription import Transcription


@runtime_checkable
class FitsToCorpus(Protocol):
    """A part of the features that depends on the training split."""

    def fit(self, signals: Iterable[Tensor]) -> None: ...


def signal_length(config: DictConfig, corpus: Corpus) -> int | None:
    """The network's input length in samples or frames, from `data.seconds`; None if all signals have the same shape.

    Raises UsageError if they differ and `seconds` is null, if it is not above 0, or if it would cut a sentence off.
    """
    seconds = config.data.get("seconds")
    if seconds is None:
        if "seconds" in config.data:
            _check_lengths(corpus)
        return None
    if not 0 < seconds < math.inf:
        raise UsageError(f"data.seconds={seconds}: the length that the network hears must be more than 0, and finite.")
    length = max(1, round(seconds * corpus.info.rate))
    if not corpus.labels:
        _check_sentences(corpus, length)
    return length


def _check_sentences(corpus: Corpus, length: int) -> None:
    assert corpus.info.rate is not None
    for name in corpus.splits:
        split = corpus.split(name)
        longest = int(split.shapes[:, 1].argmax())
        duration = int(split.shapes[longest, 1])
        if duration > length:
            raise UsageError(
                f"{split.sources[longest]} lasts {duration / corpus.info.rate:.4g} s, and a sentence is not cut off: "
                f"give data.seconds={duration / corpus.info.rate:.4g} or more."
            )


def _check_lengths(corpus: Corpus) -> None:
    assert corpus.info.rate is not None
    lengths = torch.cat([corpus.split(name).shapes[:, 1] for name in corpus.splits])
    shortest, longest = (n.item() / corpus.info.rate for n in lengths.aminmax())
    if shortest < longest:
        raise UsageError(
            f"The signals of {corpus.info.name} last from {shortest:.3g} to {longest:.3g} s: give the length that the "
            "network hears, such as data.seconds=1."
        )


def build_data(config: DictConfig, corpus: Corpus) -> CorpusData:
    """Batches of the corpus; the tokens for its texts are taken from the training split and the grammar."""
    tokens = None
    if not corpus.labels:
        words = [word for words in corpus.info.grammar.values() for word in words]
        tokens = Tokens.of([*corpus.split("train").texts, *words], config.get("tokens", "characters"))
    length = signal_length(config, corpus)
    options = {"seed": config.seed, **config.loader}
    check_options(CorpusData, options, lambda argument: argument if argument == "seed" else f"loader.{argument}")
    return CorpusData(corpus, length=length, tokens=tokens, **options)


def build_task(config: DictConfig, data: CorpusData) -> Task:
    """Features, fitted to the training split, augmentation, network and optimiser; `config.seed` seeds the weights.

    The corpus determines the task: classification if it has labels, transcription if it has texts. The default decoder
    of the latter is the grammar's if the corpus has a grammar, and beam search otherwise.

    Raises UsageError if the network does not accept the signals or lacks the outputs that the corpus needs.
    """
    sequence = data.tokens is not None
    outputs = len(data.tokens or data.corpus.labels)
    try:
        seed_everything(config.seed, verbose=False)
    except ValueError as error:
        raise UsageError(f"seed={config.seed}: {error}") from None
    features, model = build_network(config, data.example, outputs, sequence=sequence)
    fit_features(features, data)
    parts = {
        "features": features,
        "augment": {stage: instantiate(part) for stage, part in config.augment.items() if part is not None},
        "optimizer": instantiate(config.optim.optimizer),
        "schedule": instantiate(config.optim.schedule),
    }
    targets = {name: config[name] for name in ("label_smoothing", "mixup")}
    if data.tokens is None:
        if outputs < 2:
            raise UsageError(f"{data.corpus.folder}: all is of one class, {data.corpus.labels[0]!r}; add others.")
        check_options(Classification, targets, str)
        return Classification(model, classes=outputs, **targets, **parts)
    for name, value in targets.items():
        if value:
            raise UsageError(f"{name}={value}: that is for corpora with classes; with sentences choose {name}=0.")
    _check_frames(data, frames=output_shape(nn.Sequential(features, model), data.example)[1])
    grammar = data.corpus.info.grammar
    decoder = config.get("decoder") or ("grammar" if grammar else "beam")
    return Transcription(model, tokens=data.tokens, grammar=grammar, decoder=decoder, **parts)


def _check_frames(data: CorpusData, frames: int) -> None:
    """Raises UsageError if a text needs more frames than the network outputs while it is said."""
    assert data.tokens is not None
    assert data.corpus.info.rate is not None
    for name in data.corpus.splits:
        split = data.corpus.split(name)
        lengths = lengths_of(split)
        given = frames_of(lengths, data.example.shape[1], frames)
        texts = data.labels(split).tolist()
        for source, text, length, most in zip(split.sources, texts, lengths.tolist(), given.tolist(), strict=True):
            needed = frames_needed([number for number in text if number >= 0])
            if needed > most:
                raise UsageError(
                    f"{source}: its text needs {needed} frames at least, and the network gives {most} in its "
                    f"{length / data.corpus.info.rate:.3g} s: choose one that shortens time less, or tokens=words; or "
                    "is it the text of another clip?"
                )


@torch.no_grad()
def fit_features(features: nn.Module, data: CorpusData) -> None:
    """Fits, in order, those parts of the features that depend on the training split, such as on its mean."""
    parts = list(features.children()) if isinstance(features, nn.Sequential) else [features]
    for i, part in enumerate(parts):
        if isinstance(part, FitsToCorpus):  # type: ignore[unsafe-overlap]  (a Module may have any attribute)
            before = nn.Sequential(*parts[:i])
            part.fit(before(signals) for signals in data.all_signals(data.corpus.split("train")))
