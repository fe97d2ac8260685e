"""Video in a report: a few of its frames in a row, from left to right in time."""

import numpy as np
from markupsafe import Markup
from torch import Tensor
from torch.nn import functional as F

from sigconv.train.report.pictures import beside, png, rgb
from sigconv.train.report.section import part

FRAMES, LIT = 8, 12  # shown of a video at most, as one of many and in close-up
BLUR = 5  # pixels over which the heat is averaged, since the gradient with respect to a single pixel is noisy
HOT = np.array([255, 70, 0])


def strip(signal: Tensor) -> Markup:
    """Evenly spaced frames of a video (channels, T, height, width), in the colours of `pictures.rgb`."""
    shown = signal[:, evenly(signal.shape[1], FRAMES)]
    return Markup('<div class="film">{}</div>').format(png(beside([rgb(frame) for frame in shown.unbind(1)])))


def heat(signal: Tensor, strength: Tensor) -> Markup:
    """The same, with places glowing that mattered more than the median; below, a curve of the total over time.

    Args:
        signal: (channels, T, height, width), real; its smallest value is black, its largest white.
        strength: (T, height, width), not negative.
    """
    least, most = signal.aminmax()
    frames = evenly(signal.shape[1], LIT)
    lit = (signal[:, frames] - least) / (most - least).clamp(min=1e-6)
    smooth = F.avg_pool2d(strength[:, None], BLUR, stride=1, padding=BLUR // 2, count_include_pad=False)[:, 0]
    usual, strongest = smooth.median(), smooth.quantile(0.995)
    glow = ((smooth - usual) / (strongest - usual).clamp(min=1e-12)).clamp(0, 1)[frames].cpu().numpy()
    shown = [glowing(rgb(frame), share) for frame, share in zip(lit.unbind(1), glow, strict=True)]
    curve = strength.flatten(1).sum(1)
    heights = (curve / curve.max().clamp(min=1e-12)).tolist()
    return Markup('<div class="film lit">{}{}</div>').format(png(beside(shown)), part("curve", heights))


def evenly(length: int, most: int) -> list[int]:
    """The middles of `most` equal stretches of `range(length)`, or all of it if it is no longer."""
    count = min(length, most)
    return [(2 * i + 1) * length // (2 * count) for i in range(count)]


def glowing(frame: np.ndarray, share: np.ndarray) -> np.ndarray:
    """(height, width, 3) uint8: the frame, blended with the hot colour by the share (height, width) in [0, 1]."""
    mixed = frame + 0.85 * share[..., None] * (HOT - frame)
    return mixed.astype(np.uint8)
