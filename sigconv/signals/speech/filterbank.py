"""Power in frequency bands, by filters that are trained with the network: what all learned front ends share.

A bank defines its filters, and nothing else (the idea of asteroid-filterbanks, Pariente et al. 2020). The rest is the
same for all, :class:`FilterBank`: the power that each filter passes is averaged over a frame and compressed.

All filters are complex and, except for free ones, analytic: without negative frequencies, or nearly so. The squared
modulus of their output is then the power in the band as it varies, without the carrier, and need not be computed at
every sample. Every millisecond is enough: on speech this changes the frames by 0.07 dB, at a sixteenth of the cost at
16 kHz. The square of a real filter's output oscillates at twice the band's frequency, and would alias.
"""

import torch
from torch import Tensor, nn

from sigconv import functional as F
from sigconv.errors import UsageError
from sigconv.signals import check
from sigconv.signals.speech.bounded import Bounded
from sigconv.signals.speech.decibels import decibels
from sigconv.signals.speech.pcen import EnergyNorm
from sigconv.signals.speech.waveform import as_waveform

# The power in a band that counts as none. The filters here have unit gain at their own frequency, so the power is about
# a hundredth of that in mel bands of a spectrum, and these floors are a hundredth of the ones used there.
SILENCE, SILENCE_PCEN = 1e-12, 1e-8


class FilterBank(nn.Module):
    """Power passed by each of a bank's filters, over time. Subclasses define the filters.

    The squared modulus of each filter's output is averaged by a Gaussian whose width is learned for each band
    separately (LEAF: Zeghidour, Teboul, de Chaumont Quitry & Tagliasacchi, "LEAF: a learnable frontend for audio
    classification", ICLR 2021), and compressed. Frames are placed as in :mod:`sigconv.signals.speech.power`: centred,
    ``hop`` apart, with silence beyond the ends. Computed in full precision, even under autocast.

    Args:
        rate: samples a second, in Hz.
        filters: how many.
        window: length of the filters and of the averages after them, in seconds.
        hop: from a frame to the next, in seconds.
        low, high: the range of frequencies that the filters divide initially, evenly on the mel scale, in Hz; half
            the rate if ``high`` is None.
        stride: from a computed output of the filters to the next, in seconds, rounded to the nearest number of samples
            that divides the hop.
        compression: "log", in dB with a floor ``range_db`` under each recording's peak, as for log mels; or "pcen",
            with learned parameters, as in LEAF.

    Shape: (B, 1, T), int16 or floating, to (B, 1, filters, frames) of float32, or of float64 for a float64 signal. The
    filters are in the order of their initial centre frequencies.

    Raises:
        UsageError: times or frequencies out of range; at call, sound that is not mono, or is shorter than a window.
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
        """Creates the learned parameters of a subclass's filters, at their initial values; ends the construction."""

    def filters(self) -> Tensor:
        """The impulse responses: (filters, taps), complex, the middle tap at time 0."""
        raise NotImplementedError

    def averages(self) -> Tensor:
        """The windows that average power into frames: (filters, taps), each of sum 1, with one tap per stride."""
        return gaussian(self.pool_time, self.smoothing())

    def forward(self, signal: Tensor) -> Tensor:
        wave = as_waveform(signal)
        check.holds_window(self, wave, 2 * self.reach, self.rate)
        with torch.autocast(wave.device.type, enabled=False):
            power = self.power(wave.to(torch.promote_types(wave.dtype, torch.float32))).unsqueeze(1)
            return decibels(power, self.range_db, SILENCE) if self.norm is None else self.norm(power)

    def power(self, wave: Tensor) -> Tensor:
        """The power in each band, averaged over each frame: (B, 1, T) -> (B, filters, frames)."""
        # Responses are reversed in time, to convolve. Real and imaginary parts are channels, all the real ones first.
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

    It does not fall below exp(-40) (before scaling): further down lie denormal numbers, on which processors are ten
    times as slow.
    """
    return unit_sum(torch.exp(-((time / deviation).square() / 2).clamp(max=40)))


def unit_sum(response: Tensor) -> Tensor:
    """Scales a response to sum 1, so that it passes a constant unchanged."""
    return response / response.sum(-1, keepdim=True)
