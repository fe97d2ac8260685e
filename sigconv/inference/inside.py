"""Cards about the inside of a network: what its maps respond to, what they see, and what the answer depends on."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import starmap

import torch
from markupsafe import Markup
from torch import Tensor, nn

from sigconv.explain import effective_field, occlusion, projection, receptive_field, strongest
from sigconv.explain.field import SHARE, Range, extent, middle
from sigconv.inference.seen import View, is_wave, waves
from sigconv.train.report.section import Section, evenly, part
from sigconv.train.report.sound import excerpt
from sigconv.words import by_x

MAPS, TOP = 8, 4  # of the layer, and inputs for each of them
FIELD_EXAMPLES = 16  # over which the effective receptive field is averaged
AT_ONCE = 16  # inputs that the network takes together
HIDDEN = 4  # examples in which parts are hidden

Outputs = Mapping[str, Tensor]  # of each layer, for the first example: what `sigconv.explain.trace` gives


@dataclass(frozen=True)
class Example:
    """An example of a corpus: raw signal, input of the network (channels, *size), class or text, and source."""

    signal: Tensor
    seen: Tensor
    said: str
    source: str


def map_sections(
    model: nn.Module, layer: str, examples: Sequence[Example], view: View, rate: float | None
) -> list[Section]:
    """A card for each of the maps that are excited most, with what excites it.

    Args:
        rate: sampling rate of sound; None for other signals.
    """
    batches = (_batch(examples[i : i + AT_ONCE]) for i in range(0, len(examples), AT_ONCE))
    peaks = strongest(model, layer, batches, TOP)
    chosen = peaks.value[:, 0].argsort(descending=True)[:MAPS].tolist()
    ranks = range(peaks.value.shape[1])
    shown = [(m, rank) for m in chosen for rank in ranks if rank == 0 or peaks.value[m, rank] != 0]  # 0: not excited
    places = [tuple(peaks.place[at].tolist()) for at in shown]
    fields = receptive_field(model, layer, examples[0].seen, places)
    items: dict[int, list[tuple[Markup, Markup, str]]] = {m: [] for m in chosen}
    for at, place, field in zip(shown, places, fields, strict=True):
        example = examples[int(peaks.example[at])]
        caption = Markup("{}<br>{:.3g}").format(example.said, peaks.value[at].item())
        picture = _peak(model, layer, example, at[0], place, field, view, rate)
        items[at[0]].append((picture, caption, f"{example.source} at {by_x(place)}"))
    note = (
        f"Of the {len(peaks.value)} maps of {layer} those that are excited most, and the inputs that do it: what the "
        "place sees, and below what in it excites the place, by deconvolution and by guided backpropagation (red where "
        "more would excite it more); once where both are the gradient, as without ReLU."
    )
    notes = {chosen[0]: note}
    return [Section(f"Map {m}", part("gallery", items[m], "peaks"), notes.get(m, "")) for m in chosen]


def _some(examples: Sequence[Example], most: int) -> list[Example]:
    return [examples[i] for i in evenly(len(examples), most)]


def _batch(examples: Sequence[Example]) -> Tensor:
    return torch.stack([example.seen for example in examples])


def _peak(
    model: nn.Module,
    layer: str,
    example: Example,
    feature: int,
    place: Sequence[int],
    field: Sequence[Range],
    view: View,
    rate: float | None,
) -> Markup:
    """The part of the input that a place sees, and below what in it excites the place, by two rules."""
    size = example.seen.shape[1:]
    if not all(end > begin for begin, end in field):  # it sees only padding
        field = [(0, length) for length in size]
    box = (slice(None), *starmap(slice, field))
    rules = ("deconvolution", "guided")
    causes = [projection(model, layer, example.seen, feature, place, rule)[box] for rule in rules]
    if torch.equal(*causes):
        del causes[1]
    seen = example.seen[box]
    if is_wave(seen):
        picture = waves(seen[0], *(cause[0] for cause in causes))
    else:
        drawn = [view.picture(seen, *example.seen.aminmax()), *map(view.signed, causes)]
        picture = Markup("").join(drawn)
    sound = Markup("") if rate is None else excerpt(example.signal, rate, *(end / size[-1] for end in field[-1]))
    return Markup('<div class="peak">{}{}</div>').format(picture, sound)


def field_sections(
    model: nn.Module, layer: str, outputs: Outputs, examples: Sequence[Example], view: View
) -> list[Section]:
    """How much of the input the middle of each layer sees, and how much of that counts."""
    one = examples[0].seen
    batch = _batch(_some(examples, FIELD_EXAMPLES))
    rows, strength = [], effective_field(model, layer, batch)
    for name, y in outputs.items():
        if not (has_places(y) or name == layer):
            continue
        (sees,) = receptive_field(model, name, one, [middle(y)])
        gradient = strength if name == layer else effective_field(model, name, batch)
        counts = by_x(_lengths(extent(gradient))) if gradient.any() else "nothing"
        rows.append((name, by_x(y.shape[1:]), by_x(_lengths(sees)), counts))
    head = ("layer", "output", "sees", f"{SHARE:.0%} of its gradient")
    note = (
        f"What the place in the middle of each layer sees of the network's input, {by_x(one.shape)}, and how much of "
        f"that has {SHARE:.0%} of its gradient along each axis, on average over {len(batch)} inputs."
    )
    picture = view.picture(strength[None], *strength.aminmax())
    shown = part("gallery", [(picture, f"where the gradient of {layer} is", "")], "large")
    return [Section("Receptive fields", part("table", head, rows, "numbers") + shown, note)]


def has_places(y: Tensor) -> bool:
    """Whether the output (batch, maps, *places) of a layer has more than one place."""
    return y[0, 0].numel() > 1


def _lengths(ranges: Iterable[Range]) -> list[int]:
    return [end - begin for begin, end in ranges]


def activity_sections(outputs: Outputs, example: Example, view: View) -> list[Section]:
    """The output of each layer with more than one place, for one input."""
    rows = [(view.picture(example.seen, *example.seen.aminmax()), Markup(f"input, {by_x(example.seen.shape)}"), "")]
    shown = [(name, y) for name, y in outputs.items() if has_places(y)]
    rows += [(view.maps(y[0]), Markup(f"{name}, {by_x(y.shape[1:])}"), "") for name, y in shown]
    note = f"{example.said} ({example.source}) through the layers: some maps of each, the brighter the more active."
    return [Section("One input through the network", part("gallery", rows, "rows"), note, "wide")]


def occlusion_sections(model: nn.Module, examples: Sequence[Example], view: View) -> list[Section]:
    """Where the answer is lost if a part of the input is hidden."""
    items = []
    for example in _some(examples, HIDDEN):
        score = _Sureness(model, example.seen)
        lost = occlusion(score, example.seen).clamp(min=0)
        caption = Markup("{}; the answer's probability: {:.1%}, down to {:.1%}").format(
            example.said, score.whole, score.whole - lost.max().item()
        )
        items.append((view.glowing(example.seen, lost / score.whole), caption, example.source))
    note = (
        "Glowing where the probability of the network's answer falls if a patch there is hidden behind the mean, the "
        "more the larger the share that is lost. Below: what is true, that probability, and how low it falls at the "
        "hottest place, on average over the patches that hide it. Below a picture, the largest share at each place "
        "along its last axis; below a film, along time."
    )
    return [Section("What must not be hidden", part("gallery", items, "large"), note, "wide")]


class _Sureness:
    """The probability of the network's answer to `seen`, given other inputs (B, channels, *size) -> (B,).

    For a network that gives an answer for each frame, it is the geometric mean over the frames.
    """

    def __init__(self, model: nn.Module, seen: Tensor) -> None:
        self.model = model
        with torch.no_grad():
            self.answer = model(seen[None]).argmax(1, keepdim=True)
            self.whole = self(seen[None]).item()

    def __call__(self, x: Tensor) -> Tensor:
        log = self.model(x).log_softmax(1)
        return log.gather(1, self.answer.expand(len(x), *self.answer.shape[1:])).flatten(1).mean(1).exp()
