"""Normalises features to zero mean and unit variance, over each recording or over the corpus.

Padding does not count. In a frame of digital silence, as zeros around a recording give, every band is at its minimum
over that recording: at the floor of log features, at zero in PCEN. The number of these frames shows how long the
recording was, not how it sounds, and in a short word they would dominate the mean. They are left out of means and
deviations, and come out well below zero. MFCC are the exception: they have no floor, so there all frames count.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from sigconv.errors import UsageError
from sigconv.signals import check


class UtteranceNorm(nn.Module):
    """Scales each recording by itself to zero mean and unit variance, which removes level and distance.

    Args:
        over: "all", bands and time together, which removes only the level and keeps the shape of the spectrum;
            "bands", each band over time by itself, which also removes the colour of microphone and voice, but amplifies
            a band that hardly changes, such as one near its floor; or "means", each band to zero mean, and all
            together to unit variance, which removes the colour and amplifies nothing.
        epsilon: added to the variance, so that a constant recording becomes zero, not noise.

    Shape: (B, C, F, frames) to the same shape and dtype; computed in at least float32.

    Raises:
        UsageError: an unknown ``over``; at call, another number of axes.
    """

    def __init__(self, over: str = "bands", epsilon: float = 1e-5) -> None:
        super().__init__()
        self.over, self.epsilon = check.choice(self, "over", over, ("all", "bands", "means")), epsilon

    def extra_repr(self) -> str:
        return f"over={self.over}"

    def forward(self, features: Tensor) -> Tensor:
        x = _features(self, features)
        axes = (-2, -1) if self.over == "all" else (-1,)
        weight = sounding(x)
        weight = (weight | ~weight.any(-1, keepdim=True)).expand_as(x)  # all frames of a recording that is silent
        centred = x - (weight * x).sum(axes, keepdim=True) / weight.sum(axes, keepdim=True)
        axes = (-1,) if self.over == "bands" else (-2, -1)
        variance = (weight * centred.square()).sum(axes, keepdim=True) / weight.sum(axes, keepdim=True)
        return (centred * (variance + self.epsilon).rsqrt()).to(features.dtype)


class PeakNorm(nn.Module):
    """Scales levels in dB by their distance from the loudest point of each recording: 2 there, -2 `range_db` below it.

    Anything lower becomes -2 too, so that a quiet room and digital silence look alike. Mean and deviation, which depend
    on the silence and noise in and around a word, play no part.

    Args:
        range_db: the range that matters, in dB.

    Shape: (B, C, F, frames) to the same shape and dtype; computed in at least float32.

    Raises:
        UsageError: a range that is not positive; at call, another number of axes.
    """

    def __init__(self, range_db: float = 40.0) -> None:
        super().__init__()
        check.positive(self, range_db=range_db)
        self.range_db = range_db

    def extra_repr(self) -> str:
        return f"range_db={self.range_db:g}"

    def forward(self, features: Tensor) -> Tensor:
        x = _features(self, features)
        below = (x - x.amax((-2, -1), keepdim=True)) / self.range_db
        return (4 * below.clamp(min=-1) + 2).to(features.dtype)


class CorpusNorm(nn.Module):
    """Scales each band to zero mean and unit variance over the training set.

    Differences between recordings, in level and colour, remain. Before :meth:`fit`, features pass through unchanged.

    Args:
        bands: how many the features have.

    Shape: (B, C, bands, frames) to the same shape and dtype; computed in at least float32.

    Raises:
        UsageError: at call, another number of bands.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, bands: int) -> None:
        super().__init__()
        self.bands = bands
        self.register_buffer("mean", torch.zeros(bands, 1))
        self.register_buffer("std", torch.ones(bands, 1))

    def extra_repr(self) -> str:
        return f"{self.bands}"

    def forward(self, features: Tensor) -> Tensor:
        return ((self._checked(features) - self.mean) / self.std).to(features.dtype)

    @torch.no_grad()
    def fit(self, signals: Iterable[Tensor]) -> None:
        """Set mean and deviation from batches of features (B, C, bands, frames); a constant band gets deviation 1.

        Raises:
            UsageError: there is no batch, or only silence; a value is not finite. The buffers stay as they were.
        """
        count, total, squares, shift = torch.zeros(1), torch.zeros(1), torch.zeros(1), None
        for features in signals:
            x = self._checked(features).double()
            if not x.isfinite().all():
                raise UsageError("CorpusNorm: the features of a recording are not finite; look for a damaged recording")
            weight = sounding(x).squeeze(-2)
            x = x.movedim(-2, 0)  # (bands, B, C, frames)
            if shift is None:  # about the mean, so that the sum of squares keeps its precision
                shift = x.flatten(1).mean(1).reshape(-1, 1, 1, 1)
                count, total, squares = count.to(x), total.to(x), squares.to(x)
            away = x - shift
            count = count + weight.sum()
            total = total + (weight * away).flatten(1).sum(1)
            squares = squares + (weight * away.square()).flatten(1).sum(1)
        if shift is None or not count:
            raise UsageError("CorpusNorm: there is nothing to fit to: no recordings, or none but silence")
        mean = total / count
        std = (squares / count - mean.square()).clamp(min=0).sqrt()
        mean = mean + shift.flatten()
        self.mean.copy_(mean.unsqueeze(1))
        self.std.copy_(torch.where(std > 1e-6 * (1 + mean.abs()), std, 1.0).unsqueeze(1))

    def _checked(self, features: Tensor) -> Tensor:
        x = _features(self, features)
        if x.shape[-2] != self.bands:
            raise UsageError(
                f"CorpusNorm: made for {self.bands} bands, but the features {tuple(x.shape)} have {x.shape[-2]}"
            )
        return x


def sounding(features: Tensor) -> Tensor:
    """Which frames are not digital silence: (B, C, F, frames) -> (B, C, 1, frames), bool.

    A frame is silent if each band is at its minimum over the recording, to within 1e-6 of the band's range.
    """
    features = features.detach()
    least, most = features.amin(-1, keepdim=True), features.amax(-1, keepdim=True)
    return (features - least > 1e-6 * (most - least)).any(-2, keepdim=True)


def _features(owner: nn.Module, features: Tensor) -> Tensor:
    check.floating(owner, features, "features (batch, channels, bands, frames)", 4)
    return features.to(torch.promote_types(features.dtype, torch.float32))
