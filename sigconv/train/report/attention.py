"""The card that shows where in a video the network looked."""

from collections.abc import Sequence

import torch
from markupsafe import Markup
from torch import Tensor, nn

from sigconv.explain import smooth_gradient
from sigconv.train.report import film
from sigconv.train.report.section import Section, part

EACH = 3  # right answers, and as many wrong ones, are shown


def attention_sections(
    features: nn.Module, model: nn.Module, examples: Sequence[tuple[Tensor, Markup, str]]
) -> list[Section]:
    """Shows where in a few videos the answer was decided.

    Args:
        examples: raw signals (channels, T, height, width), each with a caption and a name.
    """
    if not examples:
        return []
    items = []
    for signal, caption, name in examples:
        with torch.no_grad():
            seen = features(signal[None])[0]
        items.append((film.heat(seen, smooth_gradient(model, seen)), caption, name))
    note = (
        "Films as the network sees them; the hotter a place, the more the answer changes with it (SmoothGrad), and "
        "below, how much at each time. First right answers, then wrong ones."
    )
    return [Section("Where the network looked", part("gallery", items, "large"), note, size="wide")]
