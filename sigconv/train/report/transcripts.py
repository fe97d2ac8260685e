"""Cards about a network that reads sentences."""

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup
from torch import Tensor

from sigconv.corpus import Corpus
from sigconv.train.data import CorpusData
from sigconv.train.report.alignment import aligned
from sigconv.train.report.attention import EACH, attention_sections
from sigconv.train.report.examples import MISTAKES, SHOW
from sigconv.train.report.groups import speakers_sections
from sigconv.train.report.section import Section, part
from sigconv.train.report.visemes import viseme_sections
from sigconv.train.task import Task

Sentence = Mapping[str, Any]  # of a test clip: its `source`, what was `said` and `read`, and how many words are `wrong`


def headline(metrics: Mapping[str, Any]) -> str:
    return f"Word error rate {metrics['test']['wer']:.2%}"


def facts(metrics: Mapping[str, Any]) -> dict[str, str]:
    test = metrics["test"]
    return {
        "95 % interval": f"{test['wer_low']:.2%} to {test['wer_high']:.2%}",
        "character error rate": f"{test['cer']:.2%}",
        "sentences right": f"{test['right']:.1%} of {len(metrics['transcripts']):,}",
        "decoder": metrics["decoder"],
        "test loss": f"{test['loss']:.4f} nats",
        "validation": f"{metrics['validation']['wer']:.2%} word error rate",
    }


def results(metrics: Mapping[str, Any], corpus: Corpus) -> list[Section]:
    answers = [(one["said"], one["read"], 1) for one in metrics["transcripts"]]
    return [
        decoders_section(metrics["decoders"], metrics["decoder"]),
        *(viseme_sections(answers) if corpus.info.kind == "video" else []),
        *speakers_sections(metrics["speakers"]),
    ]


def examples(task: Task, data: CorpusData, metrics: Mapping[str, Any]) -> list[Section]:
    """The test examples that reveal the most about the network."""
    wrong = worst_first(metrics["transcripts"])
    sections = [worst_section(wrong, data)]
    if data.corpus.info.kind == "video":
        shown = [one for one in metrics["transcripts"] if not one["wrong"]][:EACH] + wrong[:EACH]
        films = [
            (signal, marked(one["said"], one["read"]), one["source"])
            for one, signal in zip(shown, _signals(shown, data), strict=True)
        ]
        sections += attention_sections(task.features, task.model, films)
    return sections


def _signals(sentences: Sequence[Sentence], data: CorpusData) -> list[Tensor]:
    """The raw signals of these clips of the test split."""
    test = data.corpus.split("test")
    places = {source: i for i, source in enumerate(test.sources)}
    return [data.signal(test, places[one["source"]]) for one in sentences]


def worst_first(sentences: Sequence[Sentence]) -> list[Sentence]:
    """The wrong sentences, those with the most wrong words first."""
    return sorted((one for one in sentences if one["wrong"]), key=lambda one: one["wrong"], reverse=True)


def decoders_section(decoders: Mapping[str, Mapping[str, float]], chosen: str) -> Section:
    """Compares the decoders on the same scores of the network."""
    rows = [
        (
            Markup("<b>{}</b>").format(name) if name == chosen else name,
            f"{measured['wer']:.2%}",
            f"{measured['cer']:.2%}",
            f"{measured['right']:.1%}",
        )
        for name, measured in decoders.items()
    ]
    head = ("decoder", "word error rate", "character error rate", "sentences right")
    note = f"The same scores of the network, read by each decoder; the run's own is {chosen}."
    return Section("Decoders", part("table", head, rows, kind="numbers"), note)


def worst_section(wrong: Sequence[Sentence], data: CorpusData) -> Section:
    """The first of the wrong sentences."""
    info, shown = data.corpus.info, wrong[:MISTAKES]
    items = [
        (
            SHOW[info.kind](signal, info),
            marked(one["said"], one["read"]),
            f"{one['source']}: {one['wrong']} words wrong of {len(one['said'].split())}",
        )
        for one, signal in zip(shown, _signals(shown, data), strict=True)
    ]
    note = f"The {len(items)} of {len(wrong):,} with the most wrong words: what was said, and below it what was read."
    return Section("Worst transcripts", part("gallery", items), note, size="wide")


def marked(said: str, read: str) -> Markup:
    """Two sentences, one below the other, with wrong, missing and extra words highlighted."""
    pairs = aligned(said.split(), read.split())
    lines = [
        Markup(" ").join(
            Markup("<mark>{}</mark>").format(word or "-") if one != other else word
            for (one, other), word in zip(pairs, words, strict=True)
        )
        for words in zip(*pairs, strict=True)
    ]
    return Markup("{}<br><b>{}</b>").format(*lines)
