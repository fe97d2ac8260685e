"""Classification: one of several classes for each signal."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Beta
from torch.nn import functional as F
from torchmetrics.classification import MulticlassAccuracy
from torchmetrics.functional.classification import multiclass_confusion_matrix

from sigconv.corpus import Corpus
from sigconv.errors import UsageError
from sigconv.train.measures import ACCURACY, shares
from sigconv.train.task import Task

UNBALANCED = 2  # ratio of the largest to the smallest class above which the accuracy mainly reflects the larger ones


class Classification(Task):
    """A network that gives each signal one of several classes; its measure is the accuracy.

    Losses are cross entropies in nats; the logged ones are without label smoothing, so that runs can be compared.

    Args:
        model: features (B, ...) -> logits (B, classes).
        classes: number of classes.
        label_smoothing: share of the target that is spread over all classes in training.
        mixup: alpha of the Beta distribution of the weight with which two training examples, features and targets, are
            mixed (H. Zhang, M. Cisse, Y. N. Dauphin, D. Lopez-Paz: mixup: beyond empirical risk minimization. ICLR
            2018); 0 for no mixing. The training accuracy counts the class with the larger weight.
        others: those of `Task`.
    """

    measure = ACCURACY

    def __init__(
        self, model: nn.Module, *, classes: int, label_smoothing: float = 0.0, mixup: float = 0.0, **others: Any
    ) -> None:
        if not 0 <= label_smoothing < 1:
            raise UsageError(f"label_smoothing is {label_smoothing}; it is a share, from 0 to less than 1")
        if not mixup >= 0:
            raise UsageError(f"mixup={mixup}: it is 0, or the alpha of a Beta distribution, such as 0.2.")
        self.classes, self.label_smoothing, self.mixup = classes, label_smoothing, mixup
        super().__init__(model, **others)

    def meter(self) -> MulticlassAccuracy:
        return MulticlassAccuracy(self.classes, average="micro", validate_args=False)

    def answers(self, logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        return logits, targets if targets.ndim == 1 else targets.argmax(1)

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Targets are labels (B,), or shares (B, classes) of each class."""
        return F.cross_entropy(logits, targets)

    def objective(self, logits: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(logits, targets, label_smoothing=self.label_smoothing)

    def mix(self, inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Mixes each example with another of the batch, all with the same weight."""
        if not self.mixup:
            return inputs, targets
        share = Beta(self.mixup, self.mixup).sample().item()
        partner = torch.randperm(len(targets), device=targets.device)
        shares = F.one_hot(targets, self.classes).to(inputs.dtype)
        return inputs.lerp(inputs[partner], share), shares.lerp(shares[partner], share)

    def results(self, corpus: Corpus) -> dict[str, Any]:
        answers = self.test_logits.argmax(1)
        test = corpus.split("test")
        tested = slice(len(answers))  # a limited test covers the beginning of the split
        labels, speakers = test.labels[tested], test.speakers[tested]
        confusion = multiclass_confusion_matrix(answers, labels, self.classes)
        right = (answers == labels).tolist()
        ones = [1] * len(right)
        results: dict[str, Any] = {
            "test": {
                "accuracy": sum(right) / len(right),
                "wrong": len(right) - sum(right),
                **by_class(confusion),
            },
            "confusion": [[*place, confusion[*place].item()] for place in confusion.nonzero().tolist()],
            "speakers": shares(self.measure, speakers, right, ones),
        }
        if corpus.info.grammar:
            kind = {word: name for name, words in corpus.info.grammar.items() for word in words}
            kinds = [kind.get(corpus.labels[label]) for label in labels.tolist()]
            found = shares(self.measure, kinds, right, ones)
            results["word_classes"] = {name: found[name] for name in corpus.info.grammar if name in found}
        return results

    def in_words(self, metrics: Mapping[str, Any]) -> str:
        result, tested = metrics["test"], len(self.test_logits)
        counted = f"{result['wrong']:,} of {tested:,} wrong"
        if result["largest_class"] > UNBALANCED * result["smallest_class"]:
            counted += f"; {result['mean_recall']:.2%} as the mean over classes, which differ in size"
        return f"{self.measure.say(result['accuracy'])} ({counted})"


def by_class(confusion: Tensor) -> dict[str, float | int]:
    """The mean recall of the classes that were tested, and the sizes of the largest and the smallest of these."""
    tested = confusion.sum(1)
    recall = (confusion.diag().double() / tested)[tested > 0]
    largest, smallest = tested.max().item(), tested[tested > 0].min().item()
    return {"mean_recall": recall.mean().item(), "largest_class": largest, "smallest_class": smallest}
