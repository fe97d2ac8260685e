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
from sigconv.corpus import Corpus, Split
from sigconv.describe import describe
from sigconv.train import pictures
from sigconv.train.run import Run
from sigconv.train.task import Classification

MISTAKES = 40  # examples shown
FILTERS = 64

# How one example of each kind of corpus is shown.
SHOW: dict[str, Callable[[Tensor], Markup]] = {"image": pictures.image}

TEMPLATES = Environment(loader=PackageLoader("sigconv.train"), autoescape=True, trim_blocks=True, lstrip_blocks=True)


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
) -> None:
    """Writes `report.html` into the run's folder.

    Args:
        metrics, environment: the contents of the files of these names.
        probabilities: (N, classes), of the examples of the test split in its order.
    """
    test = corpus.split("test")
    example = corpus.split("train")[0][0]
    sections = [
        Section("Training", _part("plots", pictures.curves(metrics["epochs"])), size="wide"),
        confusion_section(metrics["confusion"], corpus.labels),
        *layers_sections(run.config.model),
        *filter_sections(task.model, task.features(example[None]).shape[1:]),
        mistakes_section(test, probabilities, corpus),
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


def mistakes_section(test: Split, probabilities: Tensor, corpus: Corpus) -> Section:
    """The wrong answers that the network was surest of."""
    labels, sources = test.labels, test.sources
    sureness, answers = probabilities.max(1)
    wrong = (answers != labels[: len(answers)]).nonzero().flatten()
    worst = wrong[sureness[wrong].argsort(descending=True)][:MISTAKES].tolist()
    show = SHOW[corpus.info.kind]
    items = [
        (
            show(test[i][0]),
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


def filter_sections(model: nn.Module, shape: Sequence[int]) -> list[Section]:
    """The kernels of the first layer, where it is one that can be seen: two-dimensional, or one neuron a pixel."""
    first = next((weight.detach() for weight in model.parameters() if weight.ndim > 1), None)
    if first is not None and len(shape) == 3 and first.ndim == 2 and first.shape[1] == math.prod(shape):
        first = first.reshape(len(first), *shape)
    if first is None or first.ndim != 4:
        return []
    strongest = first.flatten(1).norm(dim=1).argsort(descending=True)[:FILTERS]
    largest = first[strongest].abs().max().item()
    items = [(pictures.kernel(first[i], largest), "", f"filter {i}") for i in sorted(strongest.tolist())]
    note = f"{len(items)} of {len(first):,} filters of the first layer: red above zero, blue below."
    return [Section("Learned filters", _part("gallery", items, small=True), note)]


def layers_sections(model: Mapping[str, Any]) -> list[Section]:
    """The layers of a network of the architecture language; `model` is its config."""
    if model["_target_"] != "sigconv.notation.build":
        return []
    network = describe(model["layers"], model["input"], padding=model["padding"])
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
