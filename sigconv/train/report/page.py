"""`report.html`: what a run did and learned, in one file that opens anywhere."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from jinja2 import Environment, PackageLoader
from markupsafe import Markup
from omegaconf import OmegaConf
from torch import Tensor, nn

from sigconv.architecture import times
from sigconv.corpus import Corpus, CorpusInfo, Split
from sigconv.describe import describe
from sigconv.notation import parse
from sigconv.signals.length import fit_length
from sigconv.train.cross import in_words
from sigconv.train.network import first_weights, output_shape
from sigconv.train.report import pictures, sound
from sigconv.train.run import Run
from sigconv.train.task import Classification

MISTAKES = 40  # examples shown
FILTERS = 64
SPEAKERS = 20  # shown

# How one example of each kind of corpus is shown.
SHOW: dict[str, Callable[[Tensor, CorpusInfo], Markup]] = {
    "image": lambda signal, info: pictures.image(signal),
    "audio": lambda signal, info: sound.recording(signal, info.rate),
}

TEMPLATES = Environment(
    loader=PackageLoader("sigconv.train.report"), autoescape=True, trim_blocks=True, lstrip_blocks=True
)


@dataclass(frozen=True)
class Section:
    """A titled card: half the page in width, "wide" the whole, "tall" beside two others."""

    title: str
    body: Markup
    note: str = ""
    size: Literal["", "wide", "tall"] = ""


def write_report(
    run: Run,
    task: Classification,
    corpus: Corpus,
    metrics: Mapping[str, Any],
    environment: Mapping[str, Any],
    probabilities: Tensor,
    example: Tensor,
) -> None:
    """Writes `report.html` into the run's folder.

    Args:
        metrics, environment: the contents of the files of these names.
        probabilities: (N, classes), of the examples of the test split in its order.
        example: (*shape), a raw signal.
    """
    test = corpus.split("test")
    seen = output_shape(task.features, example)
    sections = [
        Section("Training", _part("plots", pictures.curves(metrics["epochs"])), size="wide"),
        confusion_section(metrics["confusion"], corpus.labels),
        *speakers_sections(metrics["speakers"]),
        *cross_sections(metrics.get("cross_corpus")),
        *layers_sections(run.config.model, seen, len(corpus.labels)),
        *filter_sections(task.model, seen),
        *response_sections(task, seen, corpus.info),
        mistakes_section(test, probabilities, corpus, example.shape),
        environment_section(environment),
        Section("Config", Markup('<pre class="columns">{}</pre>').format(OmegaConf.to_yaml(run.config))),
    ]
    page = TEMPLATES.get_template("report.html.jinja").render(
        title=f"{corpus.info.name}, {metrics['test']['accuracy']:.2%}",
        kicker=f"{corpus.info.name} · {run.folder}",
        headline=f"{metrics['test']['accuracy']:.2%} right on the test split",
        facts=_facts(metrics, len(probabilities)),
        command=run.command,
        sections=sections,
    )
    run.write_text("report.html", page)


def _facts(metrics: Mapping[str, Any], tested: int) -> dict[str, str]:
    return {
        "wrong": f"{metrics['test']['wrong']:,} of {tested:,}",
        "test loss": f"{metrics['test']['loss']:.4f} nats",
        "validation": f"{metrics['validation']['accuracy']:.2%} right",
        "training": f"{metrics['train_seconds']:.1f} s, {len(metrics['epochs'])} epochs",
        "weights": f"{metrics['weights']:,}",
    }


def confusion_section(counts: Sequence[Sequence[int]], labels: Sequence[str]) -> Section:
    return Section(
        "Confusions",
        pictures.confusion_matrix(counts, labels),
        "Test examples of each true class by the network's answer. Mistakes are coloured by the logarithm of how many.",
        "tall",
    )


def mistakes_section(test: Split, probabilities: Tensor, corpus: Corpus, shape: Sequence[int]) -> Section:
    """The wrong answers that the network was surest of; `shape` is that of the signals as the network takes them."""
    labels, sources = test.labels, test.sources
    sureness, answers = probabilities.max(1)
    wrong = (answers != labels[: len(answers)]).nonzero().flatten()
    worst = wrong[sureness[wrong].argsort(descending=True)][:MISTAKES].tolist()
    show = SHOW[corpus.info.kind]
    items = [
        (
            show(fit_length(test[i][0], shape[1]), corpus.info),
            Markup("{} → <b>{}</b><br>{:.0%}").format(
                corpus.labels[labels[i]], corpus.labels[answers[i]], sureness[i].item()
            ),
            f"{sources[i]}: {corpus.labels[labels[i]]} with {probabilities[i, labels[i]]:.2%}",
        )
        for i in worst
    ]
    note = (
        f"The {len(worst)} of {len(wrong):,} that the network was surest of: true class → answer, with its probability."
    )
    return Section("Worst mistakes", _part("gallery", items), note, size="wide")


def speakers_sections(speakers: Mapping[str, Mapping[str, Any]]) -> list[Section]:
    """The worst speakers, where several are known."""
    if len(speakers) < 2:
        return []
    worst = sorted(speakers, key=lambda name: speakers[name]["accuracy"])[:SPEAKERS]
    values = {name: (speakers[name]["accuracy"], speakers[name]["tested"]) for name in worst}
    which = f"The {len(worst)} of {len(speakers):,}" if len(worst) < len(speakers) else f"The {len(speakers)}"
    note = f"{which} speakers of the test split, those with the most errors first."
    return [Section("Speakers", pictures.shares(values), note)]


def cross_sections(result: Mapping[str, Any] | None) -> list[Section]:
    if result is None:
        return []
    rows = [(name, f"{accuracy:.1%}") for name, accuracy in result["by_class"].items()]
    foot = ("all", f"{result['accuracy']:.2%}")
    return [Section("On another corpus", _part("table", ("word", "right"), rows, "numbers", foot), in_words(result))]


def response_sections(task: Classification, seen: Sequence[int], info: CorpusInfo) -> list[Section]:
    """The filters that were learned on raw sound, as frequency responses; `seen` is the shape that the network sees."""
    filters = sound.learned_filters(task.features, task.model, seen) if info.kind == "audio" else None
    if filters is None or info.rate is None:
        return []
    note = (
        f"How much each of the {len(filters)} learned filters lets through, 30 dB from light to dark. "
        "Half of its power lies below its centre."
    )
    return [Section("Filters on raw samples", sound.frequency_responses(filters, info.rate), note)]


def filter_sections(model: nn.Module, shape: Sequence[int]) -> list[Section]:
    """The kernels of the first layer, where it is one that can be seen: two-dimensional, or one neuron a pixel."""
    first = first_weights(model)
    if first is not None and len(shape) == 3 and first.ndim == 2 and first.shape[1] == math.prod(shape):
        first = first.reshape(len(first), *shape)
    if first is None or first.ndim != 4:
        return []
    strongest = first.flatten(1).norm(dim=1).argsort(descending=True)[:FILTERS]
    largest = first[strongest].abs().max().item()
    items = [(pictures.kernel(first[i], largest), "", f"filter {i}") for i in sorted(strongest.tolist())]
    note = f"{len(items)} of {len(first):,} filters of the first layer: red above zero, blue below."
    return [Section("Learned filters", _part("gallery", items, small=True), note)]


def layers_sections(model: Mapping[str, Any], seen: Sequence[int], classes: int) -> list[Section]:
    """The layers of a network of the architecture language; `model` is its config, `seen` the shape of its input."""
    if model["_target_"] != "sigconv.notation.build":
        return []
    architecture = parse(model["layers"], seen, classes=classes, ndim=model.get("ndim"))
    network = describe(architecture, padding=model["padding"])
    rows = [
        (layer.text, times(layer.output), f"{layer.weights:,}", f"{layer.connections:,}", times(layer.receptive_field))
        for layer in network.layers
    ]
    foot = ("sum", "", f"{network.weights:,}", f"{network.connections:,}", "")
    head = ("layer", "output", "weights", "connections", "sees")
    note = "Biases counted, normalisation left out; each place of a layer sees so much of the input."
    return [Section("Network", _part("table", head, rows, kind="numbers", foot=foot), note)]


def environment_section(environment: Mapping[str, Any]) -> Section:
    rows = []
    for name, value in environment.items():
        if isinstance(value, Mapping):
            value = ", ".join(f"{key} {part}" for key, part in value.items() if part is not None)
        rows.append((name.replace("_", " "), value))
    return Section("Environment", _part("table", (), rows, kind="facts"))


def _part(name: str, *args: Any, **kwargs: Any) -> Markup:
    return getattr(TEMPLATES.get_template("parts.html.jinja").module, name)(*args, **kwargs)
