"""Seeing inside a network of convolutions, ours or torch's, along any number of axes.

What a layer's maps answer to most, what in the input did it, how much of the input a place sees, and what of it the
answer depends on.
"""

from sigconv.explain.field import effective_field, receptive_field
from sigconv.explain.layers import activity, layer_names, trace
from sigconv.explain.occlusion import occlusion
from sigconv.explain.peaks import Peaks, strongest
from sigconv.explain.projection import projection
from sigconv.explain.saliency import smooth_gradient

__all__ = [
    "Peaks",
    "activity",
    "effective_field",
    "layer_names",
    "occlusion",
    "projection",
    "receptive_field",
    "smooth_gradient",
    "strongest",
    "trace",
]
