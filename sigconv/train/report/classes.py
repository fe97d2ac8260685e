"""Cards about a network that answers with a class."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup
from torch import Tensor

from sigconv.corpus import Corpus
from sigconv.train.cross import in_words
from sigconv.train.data import CorpusData
from sigconv.train.report.attention import EACH, attention_sections
from sigconv.train.report.examples import MISTAKES, SHOW
from sigconv.train.report.groups import change_sections, speakers_sections, word_class_sections
from sigconv.train.report.matrix import confusion_matrix
from sigconv.train.report.section import Section, part
from sigconv.train.report.visemes import viseme_sections
from sigconv.train.task import Task

LARGEST_MATRIX = 100  # classes; with more, only the most frequent confusions are listed
PAIRS = 40  # listed


def headline(metrics: Mapping[str, Any]) -> str:
    return f"{metrics['test']['accuracy']:.2%} right on the test split"


def facts(metrics: Mapping[str, Any]) -> dict[str, str]:
    tested = sum(count for *_, count in metrics["confusion"])
    return {
        "wrong": f"{metrics['test']['wrong']:,} of {tested:,}",
        "mean over classes": f"{metrics['test']['mean_recall']:.2%} right",
        "test loss": f"{metrics['test']['loss']:.4f} nats",
        "validation": f"{metrics['validation']['accuracy']:.2%} right",
    }


def results(metrics: Mapping[str, Any], corpus: Corpus) -> list[Section]:
    confusions, labels = metrics["confusion"], corpus.labels
    answers = [(labels[i], labels[j], n) for i, j, n in confusions]
    return [
        confusion_section(confusions, labels, corpus.info.grammar),
        *word_class_sections(metrics.get("word_classes")),
        *(viseme_sections(answers) if corpus.info.kind == "video" else []),
        *speakers_sections(metrics["speakers"]),
        *change_sections(metrics),
        *cross_sections(metrics.get("cross_corpus")),
    ]


def examples(task: Task, data: CorpusData, metrics: Mapping[str, Any]) -> list[Section]:
    """The test examples that reveal the most about the network."""
    corpus, probabilities = data.corpus, task.test_logits.softmax(1)
    sections = [mistakes_section(data, probabilities)]
    if corpus.info.kind == "video":
        test = corpus.split("test")
        labels, sources, answers = test.labels, test.sources, probabilities.argmax(1)
        sections += attention_sections(
            task.features,
            task.model,
            [
                (
                    data.signal(test, i),
                    _answer(corpus.labels[labels[i]], corpus.labels[answers[i]], probabilities[i].max().item()),
                    sources[i],
                )
                for i in surest(labels, probabilities, EACH)
            ],
        )
    return sections


def _answer(said: str, read: str, probability: float) -> Markup:
    return Markup("{} → <b>{}</b><br>{:.0%}").format(said, read, probability)


Confusion = tuple[int, int, int]  # the true class, the network's answer, and how many examples


def confusion_section(
    confusions: Sequence[Confusion], labels: Sequence[str], grammar: Mapping[str, Sequence[str]] | None = None
) -> Section:
    """A confusion matrix, or a list if there are too many classes; words of a `grammar` class stand together."""
    if len(labels) > LARGEST_MATRIX:
        return _pairs_section(confusions, labels)
    counts = [[0] * len(labels) for _ in labels]
    for true, answer, count in confusions:
        counts[true][answer] = count
    note = (
        "Test examples of each true class by the network's answer. Mistakes are coloured by the logarithm of how many."
    )
    matrix = confusion_matrix(counts, labels, grammar)
    return Section("Confusions", matrix, note, "tall" if len(labels) <= 20 else "wide")


def _pairs_section(confusions: Sequence[Confusion], labels: Sequence[str]) -> Section:
    tested: Counter[int] = Counter()
    for true, _, count in confusions:
        tested[true] += count
    mistakes = [confusion for confusion in confusions if confusion[0] != confusion[1]]
    worst = sorted(mistakes, key=lambda mistake: -mistake[2])[:PAIRS]
    rows = [(labels[i], labels[j], f"{count:,}", f"{count / tested[i]:.1%}") for i, j, count in worst]
    body = part("table", ("true class", "answer", "examples", "of the class"), rows, kind="numbers")
    return Section("Confusions", body, f"The {len(rows)} most frequent of {len(mistakes):,} pairs of classes.")


def cross_sections(result: Mapping[str, Any] | None) -> list[Section]:
    if result is None:
        return []
    rows = [(name, f"{accuracy:.1%}") for name, accuracy in result["by_class"].items()]
    foot = ("all", f"{result['accuracy']:.2%}")
    return [Section("On another corpus", part("table", ("word", "right"), rows, "numbers", foot), in_words(result))]


def mistakes_section(data: CorpusData, probabilities: Tensor) -> Section:
    """The wrong answers that the network was surest of; `probabilities` (N, classes) are those of the test split."""
    corpus, test = data.corpus, data.corpus.split("test")
    labels, sources = test.labels, test.sources
    sureness, answers = probabilities.max(1)
    wrong = (answers != labels[: len(answers)]).nonzero().flatten()
    worst = wrong[sureness[wrong].argsort(descending=True)][:MISTAKES].tolist()
    show = SHOW[corpus.info.kind]
    items = [
        (
            show(data.signal(test, i), corpus.info),
            _answer(corpus.labels[labels[i]], corpus.labels[answers[i]], sureness[i].item()),
            f"{sources[i]}: {corpus.labels[labels[i]]} with {probabilities[i, labels[i]]:.2%}",
        )
        for i in worst
    ]
    surest = f"The {len(worst)} of {len(wrong):,} that the network was surest of"
    note = f"{surest}: true class → answer, with its probability." if worst else "There are none."
    return Section("Worst mistakes", part("gallery", items), note, size="wide")


def surest(labels: Tensor, probabilities: Tensor, count: int) -> list[int]:
    """The indices of the `count` right and the `count` wrong answers that the network was surest of."""
    sureness, answers = probabilities.max(1)
    right = answers == labels[: len(answers)]
    places = sureness.argsort(descending=True)
    return places[right[places]][:count].tolist() + places[~right[places]][:count].tolist()
