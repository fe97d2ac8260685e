"""`explain.html`: the inside of a trained network, in one self-contained file."""

import shlex
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from sigconv.corpus import CorpusInfo
from sigconv.errors import UsageError
from sigconv.explain import is_pooling, trace
from sigconv.inference.inside import (
    Example,
    Outputs,
    activity_sections,
    field_sections,
    has_places,
    map_sections,
    occlusion_sections,
)
from sigconv.inference.predict import load
from sigconv.inference.seen import View
from sigconv.train.build import build_data
from sigconv.train.data import CorpusData
from sigconv.train.network import network_name
from sigconv.train.report.learned import filter_sections, response_sections
from sigconv.train.report.section import Section, evenly, page
from sigconv.train.run import Run

SEARCHED = {"image": 2000, "audio": 500, "video": 50}  # examples that are searched for those that excite a map most
Progress = Callable[[str], None]


def explain(
    run: str | Path,
    layer: str | None = None,
    split: str = "test",
    corpus: str | Path | None = None,
    progress: Progress = lambda doing: None,
) -> Path:
    """Writes `explain.html`, or `explain_LAYER_SPLIT.html` with those given, into a run's folder and returns its path.

    Args:
        layer: whose maps are explained; if None, the last one with more than one place that does not pool.
        split: "train", "validation" or "test", from which examples are taken.
        corpus: the folder of the corpus that the run was trained on; if None, where it was at that time.
        progress: called with what is being done.

    Raises UsageError if there is no such run, layer, split or corpus.
    """
    opened, (network, _) = Run.open(run), load(run)
    data = build_data(opened.config, opened.corpus(corpus))
    features, model = network.get_submodule("features"), network.get_submodule("model")
    info, examples = data.corpus.info, _examples(features, data, split, progress)
    outputs = trace(model, examples[0].seen[None])
    chosen = _last_with_places(model, outputs) if layer is None else layer
    sections = _sections(features, model, chosen, outputs, examples, info, progress)
    facts = {"network": network_name(opened.config), "layer": chosen, "examples": f"{len(examples):,} of {split}"}
    options = [] if layer is None else ["--layer", layer]
    options += [] if split == "test" else ["--data", split]
    name = "_".join(["explain", *options[1::2]]).replace("/", "-") + ".html"  # 64C80/4 is a layer
    command = shlex.join(["sigconv", "explain", str(opened.folder), *options])
    kicker = f"{info.name} · {opened.folder}"
    opened.write_text(name, page("Inside the network", info.name, kicker, facts, command, sections))
    return opened.folder / name


def _sections(
    features: nn.Module,
    model: nn.Module,
    layer: str,
    outputs: Outputs,
    examples: list[Example],
    info: CorpusInfo,
    progress: Progress,
) -> list[Section]:
    sound = info.kind == "audio"
    view, seen = View(upwards=sound), examples[0].seen
    progress("what the layers see ...")
    sections = [
        *filter_sections(model, seen.shape),
        *response_sections(features, model, seen.shape, info),
        *field_sections(model, layer, outputs, examples, view),
        *activity_sections(outputs, examples[0], view),
    ]
    progress(f"what excites the maps of {layer} ...")
    sections += map_sections(model, layer, examples, view, info.rate if sound else None)
    progress("what must not be hidden ...")
    return sections + occlusion_sections(model, examples, view)


@torch.no_grad()
def _examples(features: nn.Module, data: CorpusData, split: str, progress: Progress) -> list[Example]:
    """Evenly spaced examples of a split."""
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


def _last_with_places(model: nn.Module, outputs: Outputs) -> str:
    found = [name for name, y in outputs.items() if has_places(y) and not is_pooling(model, name)]
    if not found:
        raise UsageError("The network has no layer with maps, and so nothing that could be shown of it.")
    return found[-1]
