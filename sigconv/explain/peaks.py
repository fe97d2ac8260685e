"""The inputs that excite each map of a layer most."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sigconv.explain.layers import activity


@dataclass(frozen=True)
class Peaks:
    """The inputs that excite each map most, the strongest first.

    Attributes:
        value: (maps, top), the activity.
        example: (maps, top) int64, which input it was.
        place: (maps, top, ndim) int64, where in the map.
    """

    value: Tensor
    example: Tensor
    place: Tensor


@torch.no_grad()
def strongest(network: nn.Module, layer: str, batches: Iterable[Tensor], top: int) -> Peaks:
    """The ``top`` inputs, or as many as there are, that excite each map most, each at its strongest place.

    Args:
        network: in evaluation mode.
        batches: inputs (batch, channels, \\*size), at least one; numbered consecutively across batches, which may
            differ in size.

    Raises:
        UsageError: there is no such layer.
    """
    values, places = [], []
    for x in batches:
        y = activity(network, layer, x)
        value, place = y.flatten(2).max(2)
        values.append(value)
        places.append(torch.stack(torch.unravel_index(place, y.shape[2:]), -1))
    all_values = torch.cat(values)
    value, example = all_values.topk(min(top, len(all_values)), dim=0)
    place = torch.cat(places).take_along_dim(example.unsqueeze(-1), 0)
    return Peaks(value.t(), example.t(), place.transpose(0, 1))
