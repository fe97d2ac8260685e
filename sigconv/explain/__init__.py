"""Looking inside a convolutional network, with our layers or torch's, along any number of axes.

What excites a layer's maps most, what in the input causes it, how much of the input a place sees, and which parts of
the input the answer depends on.
"""

from sigconv.explain.field import effective_field, receptive_field
from sigconv.explain.layers import activity, is_pooling, layer_names, trace
from sigconv.explain.occlusion import occlusion
from sigconv.explain.peaks import Peaks, strongest
from sigconv.explain.projection import projection
from sigconv.explain.saliency import smooth_gradient

__all__ = [
    "Peaks",
    "activity",
    "effective_field",
    "is_pooling",
    "layer_names",
    "occlusion",
    "projection",
    "receptive_field",
    "smooth_gradient",
    "strongest",
    "trace",
]
