"""Cards about the network itself: its layers and what its first one learned."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from sigconv.corpus import CorpusInfo
from sigconv.notation import parse
from sigconv.notation.describe import describe
from sigconv.signals.speech.filterbank import FilterBank
from sigconv.train.report import pictures, sound
from sigconv.train.report.section import Section, part
from sigconv.window import padding_of
from sigconv.words import by_x

FILTERS = 64


def layers_sections(model: Mapping[str, Any], seen: Sequence[int], classes: int) -> list[Section]:
    """The layers of a network in the architecture language; `model` is its config, `seen` the shape of its input."""
    if model["_target_"] != "sigconv.notation.build":
        return []
    architecture = parse(model["layers"], seen, classes=classes, ndim=model.get("ndim"))
    padding = padding_of(model["padding"], architecture.ndim, causal=model.get("causal", False))
    network = describe(architecture, padding=padding)
    rows = [
        (layer.text, by_x(layer.output), f"{layer.weights:,}", f"{layer.connections:,}", by_x(layer.receptive_field))
        for layer in network.layers
    ]
    foot = ("sum", "", f"{network.weights:,}", f"{network.connections:,}", "")
    head = ("layer", "output", "weights", "connections", "sees")
    counted = "Biases counted; "
    if model.get("norm") not in (None, "none"):
        counted = "Counted as without normalisation, which has two numbers for each map in place of its bias; "
    note = f"{counted}each place of a layer sees so much of the input."
    return [Section("Network", part("table", head, rows, "numbers", foot), note, "wide" if len(seen) > 3 else "")]


def filter_sections(model: nn.Module, shape: Sequence[int]) -> list[Section]:
    """The kernels of the first layer, if they have two axes or more, or one over several channels, such as frequency
    bands, or are neurons with a weight for each pixel."""
    first = first_weights(model)
    if first is not None and len(shape) > 2 and first.ndim == 2 and first.shape[1] == math.prod(shape):
        first = first.reshape(len(first), *shape)
    if first is not None and first.ndim == 3 and first.shape[1] > 1:
        first = first.unsqueeze(1)
    if first is None or first.ndim < 4:
        return []
    strongest = first.flatten(1).norm(dim=1).argsort(descending=True)[:FILTERS]
    largest = first[strongest].abs().max().item()
    items = [(pictures.kernel(first[i], largest), "", f"filter {i}") for i in sorted(strongest.tolist())]
    note = f"{len(items)} of {len(first):,} filters of the first layer: red above zero, blue below."
    if first.ndim > 4:
        note += " Time runs to the right."
    return [Section("Learned filters", part("gallery", items, "small" if first.ndim == 4 else "strips"), note)]


def response_sections(features: nn.Module, model: nn.Module, seen: Sequence[int], info: CorpusInfo) -> list[Section]:
    """The filters that were learned on raw sound, as frequency responses; `seen` is the shape that the network sees."""
    filters = learned_filters(features, model, seen) if info.kind == "audio" else None
    if filters is None or info.rate is None:
        return []
    note = (
        f"How much each of the {len(filters)} learned filters lets through, 30 dB from light to dark. "
        "Half of its power lies below its centre."
    )
    return [Section("Filters on raw samples", sound.frequency_responses(filters, info.rate), note)]


def learned_filters(features: nn.Module, model: nn.Module, seen: Sequence[int]) -> Tensor | None:
    """(filters, taps) of a learned front end, or of the first convolution of a network that sees (1, samples)."""
    for module in features.modules():
        if isinstance(module, FilterBank):
            return module.filters().detach().cpu()
    first = first_weights(model)
    if len(seen) != 2 or first is None or first.ndim != 3 or first.shape[1] != 1 or first.shape[2] < 2:
        return None
    return first[:, 0].cpu()


def first_weights(model: nn.Module) -> Tensor | None:
    """The weights of the first layer, detached; None for a network without any."""
    return next((weight.detach() for weight in model.parameters() if weight.ndim > 1), None)
