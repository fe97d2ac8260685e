"""Video in a report: a few of its frames in a row, from left to right in time."""

from collections.abc import Iterable, Sequence

import numpy as np
from markupsafe import Markup
from torch import Tensor
from torch.nn import functional as F

from sigconv.train.report.pictures import beside, png, rgb
from sigconv.train.report.section import evenly, part

FRAMES, LIT = 8, 12  # shown of a video at most, as one of many and in close-up
BLUR = 5  # pixels over which the heat is averaged, since the gradient with respect to a single pixel is noisy
HOT = np.array([255, 70, 0])


def row(frames: Sequence[np.ndarray]) -> Markup:
    """Frames (height, width, 3) uint8 side by side; a single one is no film."""
    picture = png(beside(frames))
    return Markup('<div class="film">{}</div>').format(picture) if len(frames) > 1 else picture


def strip(signal: Tensor) -> Markup:
    """Evenly spaced frames of a video (channels, T, height, width), in the colours of `pictures.rgb`."""
    return row([rgb(frame) for frame in signal[:, evenly(signal.shape[1], FRAMES)].unbind(1)])


def lit(frames: Sequence[np.ndarray], shares: Iterable[Tensor], heights: Tensor) -> Markup:
    """Frames in a row, each glowing by its shares (height, width) in [0, 1]; below, a curve of heights (places,)."""
    glowing = [
        (frame + 0.85 * share.cpu().numpy()[..., None] * (HOT - frame)).astype(np.uint8)
        for frame, share in zip(frames, shares, strict=True)
    ]
    return Markup("{}{}").format(row(glowing), part("curve", heights.tolist()))


def heat(signal: Tensor, strength: Tensor) -> Markup:
    """A video, glowing where places mattered more than the median; below, a curve of the total over time.

    Args:
        signal: (channels, T, height, width), real; its smallest value is black, its largest white.
        strength: (T, height, width), not negative.
    """
    least, most = signal.aminmax()
    frames = evenly(signal.shape[1], LIT)
    shown = (signal[:, frames] - least) / (most - least).clamp(min=1e-6)
    smooth = F.avg_pool2d(strength[:, None], BLUR, stride=1, padding=BLUR // 2, count_include_pad=False)[:, 0]
    usual, strongest = smooth.median(), smooth.quantile(0.995)
    shares = ((smooth - usual) / (strongest - usual).clamp(min=1e-12)).clamp(0, 1)[frames]
    total = strength.flatten(1).sum(1)
    return lit([rgb(frame) for frame in shown.unbind(1)], shares, total / total.max().clamp(min=1e-12))
