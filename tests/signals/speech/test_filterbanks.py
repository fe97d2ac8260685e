"""Learned filters are what they say, on the mel scale at first, and stay within their bounds."""

import math
from pathlib import Path

import pytest
import soundfile
import torch
from torch import Tensor
from torch.testing import assert_close

from sigconv.errors import UsageError
from sigconv.signals.speech.bounded import Bounded
from sigconv.signals.speech.filterbank import FilterBank
from sigconv.signals.speech.filterbanks import FreeFilters, GaborFilters, SincFilters, mel_points
from sigconv.signals.speech.spectrum import LogMel

BANKS = [GaborFilters, SincFilters, FreeFilters]
SMALL = {"rate": 1000, "filters": 3, "window": 0.032, "hop": 0.008, "stride": 0.004, "low": 100}


def response(bank: FilterBank, hz: Tensor) -> Tensor:
    """Magnitude at each frequency: (filters, frequencies), from the impulse responses alone."""
    filters = bank.filters().detach().to(torch.complex128)
    taps = filters.shape[1]
    time = (torch.arange(taps, dtype=torch.float64) - taps // 2) / bank.rate
    return (filters @ torch.exp(-2j * math.pi * time[:, None] * hz)).abs()


def tone(hz: float, rate: int) -> Tensor:
    return torch.sin(2 * math.pi * hz * torch.arange(rate) / rate).reshape(1, 1, -1)


def test_gabor_filters_peak_at_their_centre_and_have_their_bandwidth() -> None:
    bank = GaborFilters(16000, 20)
    centre, half = bank.centre().detach().squeeze(1).double(), bank.bandwidth().detach().squeeze(1).double() / 2
    hz = torch.linspace(-8000, 8000, 3201, dtype=torch.float64)
    assert_close(hz[response(bank, hz).argmax(1)], centre, rtol=0, atol=5.0)
    assert_close(response(bank, centre).diag(), torch.ones(20, dtype=torch.float64), rtol=0, atol=0.01)
    for edge in (centre - half, centre + half):
        power = response(bank, edge).diag()[5:].square()  # the narrowest are cut by the window
        assert_close(power, torch.full_like(power, 0.5), rtol=0, atol=0.03)


def test_sinc_filters_pass_their_band_and_halve_amplitude_at_the_cut_offs() -> None:
    bank = SincFilters(16000, 8, window=0.05)
    lower, upper = (edge.detach().double() for edge in bank.cutoffs())
    wide = (upper - lower) > 300
    assert wide.sum() >= 5
    for edge in (lower, upper):
        assert_close(
            20 * response(bank, edge).diag().log10()[wide], torch.full((8,), -6.02).double()[wide], rtol=0, atol=0.3
        )
    assert_close(response(bank, (lower + upper) / 2).diag(), torch.ones(8, dtype=torch.float64), rtol=0, atol=0.01)
    for outside in (lower - 100, upper + 100, -lower):
        assert (20 * response(bank, outside).diag().log10()[wide][:-1] < -40).all()


@pytest.mark.parametrize("rate", [8000, 16000])
def test_bands_start_on_the_mel_scale(rate: int) -> None:
    edges = mel_points(42, 60, rate / 2)
    mels = torch.where(edges < 1000, edges * 3 / 200, 15 + (edges / 1000).log() * 27 / math.log(6.4))  # Slaney's
    assert_close(mels, torch.linspace(float(mels[0]), float(mels[-1]), 42))
    assert_close(edges[[0, -1]], torch.tensor([60, rate / 2]))
    assert_close(GaborFilters(rate).centre().squeeze(1), edges[1:-1], rtol=1e-4, atol=0.01)
    lower, upper = SincFilters(rate).cutoffs()
    edges = mel_points(41, 60, rate / 2)
    assert_close(lower, edges[:-1], rtol=1e-3, atol=0.5)
    assert_close(upper, edges[1:], rtol=1e-3, atol=5.0)


@pytest.mark.parametrize(
    "bank", [*(b(8000) for b in BANKS), FreeFilters(8000, start="noise")], ids=lambda b: type(b).__name__
)
def test_filters_are_in_the_order_of_their_frequencies(bank: FilterBank) -> None:
    assert bank.filters().shape == (40, 201)
    assert bank.filters().is_complex()
    hz = torch.linspace(-4000, 4000, 401, dtype=torch.float64)
    power = response(bank, hz).square()
    mean = (power * hz.abs()).sum(1) / power.sum(1)
    assert (mean.diff() > -60).all()


@pytest.mark.parametrize("bank_type", BANKS)
@pytest.mark.parametrize("rate", [8000, 16000])
def test_a_tone_comes_out_in_its_band_with_its_power(bank_type: type, rate: int) -> None:
    bank = bank_type(rate)
    for hz in (300.0, 1000.0, 3000.0):
        frames = bank(tone(hz, rate))[0, 0, :, 20:-20]
        loudest = frames.mean(1).argmax()
        around = mel_points(42, 60, rate / 2)[loudest : loudest + 3]
        assert around[0] < hz < around[-1]
        edge = 6.2 if bank_type is SincFilters else 1.5  # what is lost at most where two bands meet, in dB
        assert -edge < frames[loudest].mean() - 10 * math.log10(1 / 4) < 0.3  # the analytic half of a sine
        assert frames[loudest].std() < 0.02  # no trace of the wave itself, nor of the stride


@pytest.mark.parametrize("bank_type", BANKS)
def test_frames_are_those_of_log_mels(bank_type: type, shared_data: Path) -> None:
    for corpus in ("fsdd", "speech_commands"):
        files = sorted((shared_data / corpus).rglob("*.wav"))
        samples, rate = soundfile.read(files[len(files) // 3], dtype="int16")
        sound = torch.from_numpy(samples).reshape(1, 1, -1)
        learned, mel = bank_type(rate, range_db=50)(sound).detach(), LogMel(rate, low=60, range_db=50)(sound)
        assert learned.shape == mel.shape
        assert torch.corrcoef(torch.stack([learned.flatten(), mel.flatten()]))[0, 1] > 0.9


@pytest.mark.parametrize("bank_type", BANKS)
@pytest.mark.parametrize("compression", ["log", "pcen"])
def test_every_example_is_by_itself_whatever_the_length(bank_type: type, compression: str, device: str) -> None:
    bank = bank_type(8000, 8, compression=compression).to(device)
    for samples in (1600, 8000, 16010):
        sounds = (torch.randn(2, 1, samples, device=device) * 900).short()
        features = bank(sounds)
        assert features.shape == (2, 1, 8, samples // 80 + 1)
        for one, alone in zip(features, sounds, strict=True):
            assert_close(bank(alone[None])[0], one, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("rate", "step"), [(8000, 8), (11025, 11), (44100, 49)])
def test_strides_divide_the_hop(rate: int, step: int) -> None:
    bank = GaborFilters(rate, 5)
    assert bank.step == step
    assert bank(torch.randn(1, 1, rate)).shape == LogMel(rate, 5)(torch.randn(1, 1, rate)).shape


@pytest.mark.parametrize("bank_type", BANKS)
def test_no_tap_is_a_denormal_number(bank_type: type) -> None:
    parts = torch.view_as_real(bank_type(16000).filters().detach()).abs()
    assert not ((parts > 0) & (parts < torch.finfo(torch.float32).tiny)).any()


@pytest.mark.parametrize("bank_type", BANKS)
def test_gain_shifts_decibels_by_itself(bank_type: type) -> None:
    sound = torch.randn(2, 1, 4000)
    bank = bank_type(8000, 10)
    assert_close(bank(2 * sound), bank(sound) + 6.0206, rtol=0, atol=1e-3)


@pytest.mark.parametrize("bank_type", BANKS)
@pytest.mark.parametrize("compression", ["log", "pcen"])
def test_gradients(bank_type: type, compression: str) -> None:
    bank = bank_type(**SMALL, compression=compression).double()
    if bank.norm is not None:
        bank.norm.epsilon = 1e-2  # or the power of a small gain is too steep for finite differences
    sound = torch.randn(2, 1, 40, dtype=torch.float64)
    names, values = zip(*bank.named_parameters(), strict=True)

    def features(sound: Tensor, *values: Tensor) -> Tensor:
        return torch.func.functional_call(bank, dict(zip(names, values, strict=True)), (sound,))

    operands = (sound.requires_grad_(), *(value.detach().requires_grad_() for value in values))
    assert torch.autograd.gradcheck(features, operands)
    assert compression == "pcen" or torch.autograd.gradgradcheck(features, operands, fast_mode=True)


@pytest.mark.parametrize("bank_type", [GaborFilters, SincFilters])
@pytest.mark.parametrize("compression", ["log", "pcen"])
def test_parameters_keep_within_bounds_after_wild_steps(bank_type: type, compression: str) -> None:
    bank = bank_type(8000, 6, compression=compression)
    sound = torch.randn(2, 1, 2000)
    for size in (30.0, -30.0, 1e5, -1e5):
        for parameter in bank.parameters():
            torch.nn.init.uniform_(parameter, min(size, 0), max(size, 0))
        bank.zero_grad()
        features = bank(sound)
        features.sum().backward()
        assert features.isfinite().all()
        assert all(p.grad.isfinite().all() for p in bank.parameters())
        if isinstance(bank, SincFilters):
            lower, upper = bank.cutoffs()
            assert (lower >= 0).all()
            assert (upper - lower >= 39.9).all()
            assert (upper <= 4000.1).all()
        else:
            assert ((bank.centre() >= 0) & (bank.centre() <= 4000)).all()
            assert ((bank.bandwidth() >= 40) & (bank.bandwidth() <= 2000)).all()


@pytest.mark.parametrize("bank_type", BANKS)
def test_every_parameter_learns(bank_type: type) -> None:
    bank = bank_type(8000, 6, compression="pcen")
    bank(torch.randn(2, 1, 4000)).square().sum().backward()
    for name, parameter in bank.named_parameters():
        assert parameter.grad.abs().amax() > 0, name


def test_silence_is_finite_and_so_is_its_gradient() -> None:
    for bank_type in BANKS:
        for compression in ("log", "pcen"):
            bank = bank_type(8000, 5, compression=compression)
            features = bank(torch.zeros(2, 1, 2000))
            features.sum().backward()
            assert features.isfinite().all()
            assert all(p.grad.isfinite().all() for p in bank.parameters())


def test_full_precision_under_autocast() -> None:
    sound, bank = torch.randn(2, 1, 2000), GaborFilters(8000, 5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = bank(sound)
    assert torch.equal(found, bank(sound))


def test_a_saved_bank_has_its_filters() -> None:
    torch.manual_seed(1)
    bank, other = FreeFilters(8000, 5, start="noise"), FreeFilters(8000, 5)
    other.load_state_dict(bank.state_dict())
    assert torch.equal(bank.filters(), other.filters())


def test_bounded_numbers() -> None:
    start = torch.tensor([0.5, 3.0, 9.9])
    numbers = Bounded(start, 0, 10)
    assert_close(numbers(), start)
    with pytest.raises(UsageError, match=r"between 0 and 1, but go from 0\.5 to 9\.9"):
        Bounded(start, 0, 1)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"filters": 0}, "filters is 0"),
        ({"stride": 0.02}, "at most a hop"),
        ({"hop": 0.0001}, r"200, 0\.8 and 8 samples"),
        ({"hop": 0.05}, "at most a window"),
        ({"high": 5000}, "half the rate, 4000"),
        ({"compression": "root"}, "'root'.*log, pcen"),
        ({"range_db": 0}, "range_db is 0"),
        ({"window": -1}, "window is -1"),
    ],
)
def test_mistakes_are_named(options: dict, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        GaborFilters(8000, **options)


def test_wrong_sounds_and_starts_are_named() -> None:
    with pytest.raises(UsageError, match="100 samples"):
        SincFilters(8000)(torch.zeros(1, 1, 100))
    with pytest.raises(UsageError, match="mono"):
        SincFilters(8000)(torch.zeros(1, 2, 1000))
    with pytest.raises(UsageError, match=r"'zeros'.*mel, noise"):
        FreeFilters(8000, start="zeros")
