"""Power in bands of sound by filters that are trained with the network: what all learned front ends share.

A bank defines its filters, and nothing else (the idea of asteroid-filterbanks, Pariente et al. 2020). What becomes of
them is the same for all, :class:`FilterBank`: the power that each filter lets pass, averaged over a frame, compressed.

All filters are complex, and but for free ones analytic: without negative frequencies, or nearly. The squared modulus of
what passes is then the power in the band as it changes, without the wave itself, and need not be computed at every
sample. Every millisecond does: on speech it changes the frames by 0.07 dB, and costs a sixteenth at 16 kHz. The
square of a real filter's output swings at twice the band's frequency, and would alias.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sigconv import functional as F
from sigconv.errors import UsageError
from sigconv.signals import check
from sigconv.signals.speech.bounded import Bounded
from sigconv.signals.speech.decibels import decibels
from sigconv.signals.speech.pcen import EnergyNorm
from sigconv.signals.speech.waveform import as_waveform

# The power in a band that counts as none. Filters here pass their own frequency as it is, which makes power about
# a hundredth of that in mel bands of a spectrum: so are these of what those have.
SILENCE, SILENCE_PCEN = 1e-12, 1e-8


class FilterBank(nn.Module):
    """Power passed by each of a bank's filters, over time. Subclasses say what the filters are.

    The filters' output is squared in modulus, averaged by a Gaussian whose width is learned for each band by itself
    (LEAF: Zeghidour, Teboul, de Chaumont Quitry & Tagliasacchi, "LEAF: a learnable frontend for audio classification",
    ICLR 2021), and compressed. Frames lie as those of :mod:`sigconv.signals.speech.power`: centred, ``hop`` apart,
    silence beyond the ends. Computed in full precision, under autocast too.

    Args:
        rate: samples a second, in Hz.
        filters: how many.
        window: length of the filters and of the average behind them, in seconds.
        hop: from a frame to the next, in seconds.
        low, high: the range of frequencies that the filters divide at the start, evenly on the mel scale, in Hz; half
            the rate if ``high`` is None.
        stride: from a computed output of the filters to the next, in seconds, as near as a number of samples is that
            divides the hop.
        compression: "log", in dB with a floor ``range_db`` under each recording's peak, as log mels have it; or
            "pcen", with learned parameters, as LEAF has it.

    Shape: (B, 1, T), int16 or floating, to (B, 1, filters, frames) of float32, or float64 for a signal of that. The
    filters' order is that of their centre frequencies at the start.

    Raises:
        UsageError: times and frequencies that cannot be; at call, no mono sound, or sound shorter than a window.
    """

    time: Tensor
    pool_time: Tensor

    def __init__(
        self,
        rate: float,
        filters: int = 40,
        window: float = 0.025,
        hop: float = 0.010,
        low: float = 60.0,
        high: float | None = None,
        stride: float = 0.001,
        compression: str = "log",
        range_db: float | None = 80.0,
    ) -> None:
        super().__init__()
        check.positive(self, rate=rate, window=window, hop=hop, stride=stride)
        check.at_least_one(self, filters=filters)
        check.choice(self, "compression", compression, ("log", "pcen"))
        self.rate, self.count, self.window, self.hop, self.stride = rate, filters, window, hop, stride
        self.low, self.high = check.band(self, low, high, rate)
        hop_samples = round(hop * rate)
        self.reach = round(window * rate / 2)
        if hop_samples < 1 or self.reach < 2 or not stride <= hop <= window:
            raise UsageError(
                f"{type(self).__name__}: windows of {window:g} s, one every {hop:g} s, from outputs every {stride:g} "
                f"s, are {window * rate:g}, {hop * rate:g} and {stride * rate:g} samples at {rate:g} Hz; all are in "
                "seconds: take a window of at least 4 samples, a hop of at least one and at most a window, and a "
                "stride of at most a hop"
            )
        divisors = [n for n in range(1, hop_samples + 1) if hop_samples % n == 0]
        self.step = min(divisors, key=lambda n: abs(n - stride * rate))
        self.pool_step = hop_samples // self.step
        self.pool_reach = max(1, round(self.reach / self.step))
        self.register_buffer("time", torch.arange(-self.reach, self.reach + 1) / rate, persistent=False)
        self.register_buffer("pool_time", torch.linspace(-1, 1, 2 * self.pool_reach + 1), persistent=False)
        self.smoothing = Bounded(torch.full((filters, 1), 0.4), 0.05, 1.0)
        self.norm = EnergyNorm(filters, hop, epsilon=SILENCE_PCEN) if compression == "pcen" else None
        self.range_db = check.range_db(self, range_db)
        self.start()

    def start(self) -> None:
        """Makes what a subclass learns of its filters, set to where it begins; the last step of the construction."""

    def filters(self) -> Tensor:
        """The impulse responses: (filters, taps), complex, the middle tap at time 0."""
        raise NotImplementedError

    def averages(self) -> Tensor:
        """The windows that average power into frames: (filters, taps), each of sum 1, a tap for each stride."""
        return gaussian(self.pool_time, self.smoothing())

    def forward(self, signal: Tensor) -> Tensor:
        wave = as_waveform(signal)
        check.holds_window(self, wave, 2 * self.reach, self.rate)
        with torch.autocast(wave.device.type, enabled=False):
            power = self.power(wave.to(torch.promote_types(wave.dtype, torch.float32))).unsqueeze(1)
            return decibels(power, self.range_db, SILENCE) if self.norm is None else self.norm(power)

    def power(self, wave: Tensor) -> Tensor:
        """The power in each band, averaged over each frame: (B, 1, T) -> (B, filters, frames)."""
        # Responses are turned round in time, to convolve. Real and imaginary parts are channels, first all the real.
        filters = self.filters().flip(-1)
        weight = torch.cat([filters.real, filters.imag]).unsqueeze(1).to(wave.dtype)
        passed = F.conv(wave, weight, stride=self.step, padding=(self.reach, self.reach + 1))
        real, imaginary = passed.chunk(2, 1)
        power = real.square() + imaginary.square()
        averages = self.averages().unsqueeze(1).to(wave.dtype)
        return F.conv(power, averages, stride=self.pool_step, padding=self.pool_reach, groups=self.count)

    def extra_repr(self) -> str:
        return (
            f"rate={self.rate:g}, filters={self.count}, window={self.window:g}, hop={self.hop:g}, "
            f"stride={self.stride:g}, compression={'log' if self.norm is None else 'pcen'}"
        )


def gaussian(time: Tensor, deviation: Tensor) -> Tensor:
    """A Gaussian around time 0, of sum 1.

    Where it is under exp(-40) it stays there: further down lie denormal numbers, on which processors are ten times as
    slow.
    """
    return unit_sum(torch.exp(-((time / deviation).square() / 2).clamp(max=40)))


def unit_sum(response: Tensor) -> Tensor:
    """Scaled to pass a constant as it is."""
    return response / response.sum(-1, keepdim=True)
