"""Per-channel energy normalisation."""

import torch
from torch import Tensor, nn

from sigconv.signals import check
from sigconv.signals.speech.bounded import Bounded


class EnergyNorm(nn.Module):
    """Each band's energy divided by its own recent mean, then compressed by a root.

    With E the energy of a band and M its mean over the recent past, M[t] = (1 - s) M[t - 1] + s E[t] and M[0] = E[0]:

        (E / (epsilon + M)^gain + bias)^power - bias^power

    This is automatic gain control in each band: it removes the effects of distance, microphone and steady noise, and
    emphasises onsets. The defaults are those of the paper, Wang, Getreuer, Hughes, Lyon & Saurous, "Trainable frontend
    for robust and far-field keyword spotting", ICASSP 2017.

    Args:
        bands: how many there are.
        hop: from a frame to the next, in seconds.
        time_constant: of the mean, in seconds: s = 1 - exp(-hop / time_constant).
        gain, bias, power: as in the formula: gain and power between 0 and 1, bias between 0 and 10.
        epsilon: energy below which a band counts as silent rather than as something to be amplified.
        learned: whether gain, bias, power and s are trained, for each band separately; they stay within their bounds.

    Shape: (B, C, bands, frames) to the same, for any C.
    """

    def __init__(
        self,
        bands: int,
        hop: float = 0.010,
        time_constant: float = 0.4,
        gain: float = 0.98,
        bias: float = 2.0,
        power: float = 0.5,
        epsilon: float = 1e-6,
        learned: bool = True,
    ) -> None:
        super().__init__()
        check.at_least_one(self, bands=bands)
        check.positive(self, epsilon=epsilon, hop=hop, time_constant=time_constant)
        self.epsilon = epsilon
        per_band = torch.ones(bands, 1)
        self.gain = Bounded(per_band * gain, 0, 1, learned)
        self.bias = Bounded(per_band * bias, 1e-3, 10, learned)  # its root has no derivative at 0
        self.power = Bounded(per_band * power, 1e-3, 1, learned)
        self.smoothing = Bounded(-torch.expm1(-per_band * hop / time_constant), 0, 1, learned)

    def extra_repr(self) -> str:
        return f"epsilon={self.epsilon:g}"

    def forward(self, energy: Tensor) -> Tensor:
        bias, power = self.bias(), self.power()
        mean = smooth(energy, self.smoothing())
        return (energy * (self.epsilon + mean).pow(-self.gain()) + bias).pow(power) - bias.pow(power)


def smooth(x: Tensor, weight: Tensor) -> Tensor:
    """The exponential mean M[t] = (1 - w) M[t - 1] + w x[t] along the last axis, from M[0] = x[0].

    In log2(frames) steps: when each M[t] holds the last n terms, adding (1 - w)^n M[t - n] makes it hold the last 2n.

    Args:
        x: (..., bands, frames)
        weight: (bands, 1), between 0 and 1.
    """
    mean = torch.cat([x[..., :1], weight * x[..., 1:]], dim=-1)
    decay, held, frames = 1 - weight, 1, x.shape[-1]
    while held < frames:
        mean = torch.cat([mean[..., :held], torch.addcmul(mean[..., held:], decay, mean[..., :-held])], dim=-1)
        decay, held = decay.square(), 2 * held
    return mean
