"""`explain.html`: the inside of a trained network, in one file that opens anywhere."""

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from sigconv.errors import UsageError
from sigconv.explain import layer_names
from sigconv.names import named
from sigconv.train.build import build_data
from sigconv.train.data import CorpusData
from sigconv.train.predict import load
from sigconv.train.report.film import evenly
from sigconv.train.report.inside import (
    Example,
    activity_sections,
    field_sections,
    map_sections,
    occlusion_sections,
    with_places,
)
from sigconv.train.report.learned import filter_sections, response_sections
from sigconv.train.report.section import Section, page
from sigconv.train.report.seen import View
from sigconv.train.run import Run
from sigconv.train.training import network_name

SEARCHED = {"image": 2000, "audio": 500, "video": 50}  # examples, among which are those that excite a map most
Progress = Callable[[str], None]


def explain(
    run: str | Path,
    layer: str | None = None,
    split: str = "test",
    corpus: str | Path | None = None,
    progress: Progress = lambda doing: None,
) -> Path:
    """Writes `explain.html`, or `explain_LAYER_SPLIT.html` of those that are given, into a run's folder: its path.

    Args:
        layer: whose maps are explained; the last one with more than one place if None.
        split: "train", "validation" or "test", from which examples are taken.
        corpus: the folder of the corpus that the run was trained on; if None, where it was then.
        progress: told what is being done.

    Raises UsageError where there is no such run, layer, split or corpus.
    """
    opened, (network, about) = Run.open(run), load(run)
    data = build_data(opened.config, opened.corpus(corpus))
    model = network.get_submodule("model")
    examples = _examples(network.get_submodule("features"), data, split, progress)
    chosen = _layer(model, examples[0], layer)
    sections = _sections(network, chosen, examples, data, about, progress)
    facts = {"network": network_name(opened.config), "layer": chosen, "examples": f"{len(examples):,} of {split}"}
    options = [] if layer is None else ["--layer", layer]
    options += [] if split == "test" else ["--data", split]
    name = "_".join(["explain", *options[1::2]]) + ".html"
    command = shlex.join(["sigconv", "explain", str(opened.folder), *options])
    kicker = f"{about['name']} · {opened.folder}"
    opened.write_text(name, page("Inside the network", about["name"], kicker, facts, command, sections))
    return opened.folder / name


def _sections(
    network: nn.Module, layer: str, examples: list[Example], data: CorpusData, about: dict[str, Any], progress: Progress
) -> list[Section]:
    features, model = network.get_submodule("features"), network.get_submodule("model")
    sound = about["kind"] == "audio"
    view, seen, info = View(upwards=sound), examples[0].seen, data.corpus.info
    progress("what the layers see ...")
    sections = [
        *filter_sections(model, seen.shape),
        *response_sections(features, model, seen.shape, info),
        *field_sections(model, layer, examples, view),
        *activity_sections(model, examples[0], view),
    ]
    progress(f"what excites the maps of {layer} ...")
    sections += map_sections(model, layer, examples, view, about["rate"] if sound else None)
    progress("what must not be hidden ...")
    return sections + occlusion_sections(model, examples, view)


@torch.no_grad()
def _examples(features: nn.Module, data: CorpusData, split: str, progress: Progress) -> list[Example]:
    """Those of a split at even distances."""
    chosen, labels = data.corpus.split(split), data.corpus.labels
    if not len(chosen):
        raise UsageError(f"the {split} split is empty; choose another by --data.")
    said = [labels[i] for i in chosen.labels.tolist()] if labels else chosen.texts
    examples: list[Example] = []
    sources = chosen.sources
    places = evenly(len(chosen), SEARCHED[data.corpus.info.kind])
    for i in places:
        progress(f"example {len(examples) + 1} of {len(places)}")
        signal = data.signal(chosen, i)
        examples.append(Example(signal, features(signal[None])[0], said[i], sources[i]))
    return examples


def _layer(model: nn.Module, example: Example, wanted: str | None) -> str:
    if wanted is not None:
        named("layer", wanted, dict.fromkeys(layer_names(model)))
        return wanted
    found = list(with_places(model, example.seen))
    if not found:
        raise UsageError("The network has no layer with maps, and so nothing that could be shown of it.")
    return found[-1]
