"""Transcription: the sentence that is said in each signal."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchaudio.functional import edit_distance
from torchmetrics.text import WordErrorRate

from sigconv.corpus import Corpus
from sigconv.ctc import BLANK, DECODERS, Tokens, end_after, make_decoder
from sigconv.ctc.greedy import collapse
from sigconv.train.batches import Batch
from sigconv.train.measures import WORD_ERRORS, bootstrap_interval, shares
from sigconv.train.task import Task


class Transcription(Task):
    """A network that gives each frame a token or the blank (`sigconv.ctc`); its measure is the word error rate.

    Losses are those of connectionist temporal classification, in nats per token, averaged over the examples. On a GPU
    torch sums their gradient in no fixed order: runs with the same seed differ in the last digits, and then in more.

    In training, and on the validation split, which chooses the weights, sentences are decoded greedily; the test uses
    all available decoders.

    Args:
        model: features (B, ...) -> logits (B, tokens, T), T being enough frames for every text.
        tokens: that encode the targets (B, L) int64, which are padded with -1.
        grammar: of the corpus, or empty.
        decoder: "greedy", "beam" or "grammar": the one that gives the test result.
        others: those of `Task`.

    Raises UsageError for a decoder that is not available.
    """

    measure = WORD_ERRORS

    def __init__(
        self,
        model: nn.Module,
        *,
        tokens: Tokens,
        grammar: Mapping[str, Sequence[str]] | None = None,
        decoder: str = "greedy",
        **others: Any,
    ) -> None:
        self.tokens, self.grammar, self.decoder = tokens, grammar or {}, decoder
        make_decoder(decoder, tokens, self.grammar)  # so that one that is not available is reported before training
        super().__init__(model, **others)

    def meter(self) -> WordErrorRate:
        return WordErrorRate()

    def answers(self, logits: Tensor, targets: Tensor) -> tuple[list[str], list[str]]:
        read = [self.tokens.decode(collapse(path)) for path in logits.argmax(1).tolist()]
        said = [self.tokens.decode(number for number in text if number >= 0) for text in targets.tolist()]
        return read, said

    def heard(self, logits: Tensor, batch: Batch) -> Tensor:
        return end_after(logits, batch.length, batch.signal.shape[2])

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        log_probs = logits.float().log_softmax(1).permute(2, 0, 1)
        frames = torch.full((len(targets),), len(log_probs), device=targets.device)
        lengths = (targets >= 0).sum(1)
        return F.ctc_loss(log_probs, targets.clamp(min=BLANK), frames, lengths, blank=BLANK)

    def results(self, corpus: Corpus) -> dict[str, Any]:
        test = corpus.split("test")
        tested = slice(len(self.test_logits))  # a limited test covers the beginning of the split
        said = [" ".join(text.split()) for text in test.texts[tested]]
        names = [name for name in DECODERS if name != "grammar" or self.grammar]
        readings = {name: self._read(name) for name in names}
        decoders = {name: reading_errors(read, said) for name, read in readings.items()}
        read = readings[self.decoder]
        errors, words = word_errors(read, said)
        return {
            "test": dict(decoders[self.decoder]),
            "decoder": self.decoder,
            "decoders": decoders,
            "speakers": shares(self.measure, test.speakers[tested], errors.tolist(), words.tolist()),
            "transcripts": [
                {"source": source, "said": text, "read": answer, "wrong": wrong}
                for source, text, answer, wrong in zip(test.sources[tested], said, read, errors.tolist(), strict=True)
            ],
        }

    def _read(self, decoder: str) -> list[str]:
        search = make_decoder(decoder, self.tokens, self.grammar).search  # no times or scores are needed
        return [self.tokens.decode(search(log_probs)) for log_probs in self.test_logits.log_softmax(1)]

    def in_words(self, metrics: Mapping[str, Any]) -> str:
        result = metrics["test"]
        return (
            f"{self.measure.say(result['wer'])} ({result['wer_low']:.2%} to {result['wer_high']:.2%}), "
            f"{result['right']:.2%} of {len(self.test_logits):,} sentences right; read by {metrics['decoder']}"
        )

    def about(self) -> dict[str, Any]:
        return {
            "tokens": self.tokens.names,
            "by": self.tokens.by,
            "grammar": {name: list(words) for name, words in self.grammar.items()},
            "decoder": self.decoder,
        }


def reading_errors(read: Sequence[str], said: Sequence[str]) -> dict[str, float]:
    """Word error rate `wer` and character error rate `cer`, with 95 % intervals, and the share of `right` sentences."""
    rates: dict[str, float] = {}
    for name, (errors, totals) in (("wer", word_errors(read, said)), ("cer", character_errors(read, said))):
        rates[name] = float(errors.sum() / totals.sum())
        rates[f"{name}_low"], rates[f"{name}_high"] = bootstrap_interval(errors, totals)
    rates["right"] = sum(answer == text for answer, text in zip(read, said, strict=True)) / len(said)
    return rates


def word_errors(read: Sequence[str], said: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """The number of word errors (insertions, deletions, substitutions) in each sentence, and of words said."""
    return _errors([text.split() for text in read], [text.split() for text in said])


def character_errors(read: Sequence[str], said: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """The same for characters, including spaces."""
    return _errors(read, said)


def _errors(read: Sequence[Sequence[str]], said: Sequence[Sequence[str]]) -> tuple[np.ndarray, np.ndarray]:
    distances = [edit_distance(answer, text) for answer, text in zip(read, said, strict=True)]
    return np.array(distances), np.array([len(text) for text in said])
