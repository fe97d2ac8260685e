"""Spectral features are librosa's, on real speech and on noise; their gradients are right."""

from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor
from torch.testing import assert_close

from sigconv.errors import UsageError
from sigconv.signals.speech.decibels import decibels
from sigconv.signals.speech.pcen import EnergyNorm, smooth
from sigconv.signals.speech.power import MelSpectrum, PowerSpectrum
from sigconv.signals.speech.spectrum import MFCC, PCEN, LogMel, Spectrogram

FEATURES = [Spectrogram, LogMel, MFCC, PCEN]

with pytest.MonkeyPatch.context() as patch:  # librosa would compile for half a minute what nothing here calls
    for compiler in ("numba.guvectorize", "numba.vectorize"):
        patch.setattr(compiler, lambda *_, **__: lambda function: function)
    import librosa.core.audio
    import librosa.core.pitch
    import librosa.util.utils


@pytest.fixture(params=["fsdd", "speech_commands", "noise"])
def sound(request: pytest.FixtureRequest) -> tuple[np.ndarray, int]:
    """int16 samples and their rate."""
    if request.param == "noise":
        return np.random.default_rng(0).normal(0, 3000, 11025).astype(np.int16), 11025
    folder: Path = request.getfixturevalue("shared_data") / request.param
    files = sorted(folder.rglob("*.wav"))
    return soundfile.read(files[len(files) // 2], dtype="int16")


def batch(samples: np.ndarray) -> Tensor:
    return torch.from_numpy(samples).reshape(1, 1, -1)


def frames_of(rate: int) -> dict:
    """librosa's names for the default window and hop."""
    window = round(0.025 * rate)
    return {"n_fft": 2 ** (window - 1).bit_length(), "win_length": window, "hop_length": round(0.01 * rate)}


def librosa_mel(samples: np.ndarray, rate: int, **options: object) -> np.ndarray:
    options = {"n_mels": 40, "fmin": 20.0, **frames_of(rate), **options}
    return librosa.feature.melspectrogram(y=samples.astype(np.float32) / 2**15, sr=rate, **options)


def assert_same(found: Tensor, expected: np.ndarray) -> None:
    """To 1e-4 of the greatest value."""
    assert found.shape == (1, 1, *expected.shape)
    assert_close(found[0, 0].detach().numpy(), expected, rtol=0, atol=1e-4 * np.abs(expected).max(), check_dtype=False)


def test_spectrogram_is_librosas(sound: tuple[np.ndarray, int]) -> None:
    samples, rate = sound
    spectrum = np.abs(librosa.stft(samples.astype(np.float32) / 2**15, **frames_of(rate))) ** 2
    assert_same(PowerSpectrum(rate)(batch(samples)), spectrum)
    assert_same(Spectrogram(rate, range_db=60)(batch(samples)), librosa.power_to_db(spectrum, top_db=60))


@pytest.mark.parametrize("range_db", [None, 60.0])
def test_log_mels_are_librosas(sound: tuple[np.ndarray, int], range_db: float | None) -> None:
    samples, rate = sound
    expected = librosa.power_to_db(librosa_mel(samples, rate), top_db=range_db)
    assert_same(LogMel(rate, range_db=range_db)(batch(samples)), expected)


def test_mel_power_is_librosas_on_either_scale(sound: tuple[np.ndarray, int]) -> None:
    samples, rate = sound
    assert_same(MelSpectrum(rate)(batch(samples)), librosa_mel(samples, rate))
    htk = librosa_mel(samples, rate, n_mels=30, fmin=60.0, fmax=3000.0, htk=True, norm=None)
    assert_same(MelSpectrum(rate, 30, low=60.0, high=3000.0, scale="htk")(batch(samples)), htk)


def test_cepstrum_and_its_changes_are_librosas(sound: tuple[np.ndarray, int]) -> None:
    samples, rate = sound
    log_mel = librosa.power_to_db(librosa_mel(samples, rate), top_db=80)
    parts = [librosa.feature.mfcc(S=log_mel, n_mfcc=13)]
    for _ in range(2):
        parts.append(librosa.feature.delta(parts[-1], width=5, mode="nearest"))
    found = MFCC(rate)(batch(samples))
    for part, expected in zip(found.split(13, dim=2), parts, strict=True):
        assert_same(part, expected)


def test_pcen_is_librosas(sound: tuple[np.ndarray, int]) -> None:
    samples, rate = sound
    mel = librosa_mel(samples, rate)
    smoothing = 1 - np.exp(-0.010 / 0.4)
    start = (1 - smoothing) * mel[:, :1]  # the mean begins at the first frame; librosa's own begins at 1
    expected = librosa.pcen(mel, sr=rate, gain=0.98, bias=2, power=0.5, eps=1e-6, b=smoothing, zi=start)
    assert_same(PCEN(rate)(batch(samples)), expected)


def test_smoothing_is_the_recursion() -> None:
    x, weight = torch.rand(3, 1, 4, 37, dtype=torch.float64), torch.rand(4, 1, dtype=torch.float64)
    mean = [x[..., 0]]
    for t in range(1, 37):
        mean.append((1 - weight[:, 0]) * mean[-1] + weight[:, 0] * x[..., t])
    assert_close(smooth(x, weight), torch.stack(mean, -1))
    assert_close(smooth(x[..., :1], weight), x[..., :1])


@pytest.mark.parametrize("feature", FEATURES)
@pytest.mark.parametrize("rate", [8000, 16000])
def test_every_example_is_by_itself_whatever_the_length(feature: type, rate: int, device: str) -> None:
    module = feature(rate).to(device)
    for seconds in (0.2, 1.0, 3.0):
        sounds = (
            torch.randn(3, 1, round(rate * seconds), device=device)
            * torch.tensor([9000.0, 900, 90], device=device).reshape(3, 1, 1)
        ).short()
        features = module(sounds)
        assert features.shape[:2] == (3, 1)
        assert features.shape[-1] == sounds.shape[-1] // (rate // 100) + 1
        assert features.dtype == torch.float32
        for one, alone in zip(features, sounds, strict=True):
            assert_close(module(alone[None])[0], one, rtol=1e-4, atol=1e-3)
        assert_close(module(sounds / 2**15), features)


@pytest.mark.parametrize("feature", [Spectrogram, LogMel, PCEN])
def test_zeros_behind_change_nothing_before_them(feature: type) -> None:
    sound = torch.randn(1, 1, 2000)
    features, padded = feature(8000)(sound), feature(8000)(torch.nn.functional.pad(sound, (0, 4000)))
    assert_close(padded[..., : features.shape[-1]], features, rtol=1e-4, atol=1e-3)


def test_padding_lies_at_the_floor_of_its_own_recording() -> None:
    loud = torch.zeros(2, 1, 8000)
    loud[:, :, :4000] = torch.randn(2, 1, 4000) * torch.tensor([1.0, 0.01]).reshape(2, 1, 1)
    features = LogMel(8000, range_db=50)(loud)
    assert_close(features.amax((1, 2, 3)) - features[:, 0, :, -1].amax(1), torch.full((2,), 50.0))
    assert_close(features.amin((1, 2, 3)), features[:, 0, 0, -1])


def test_gain_shifts_decibels_by_itself() -> None:
    sound = torch.randn(2, 1, 4000)
    assert_close(LogMel(8000)(2 * sound), LogMel(8000)(sound) + 6.0206, rtol=0, atol=1e-3)


def test_silence_is_finite_and_so_is_its_gradient() -> None:
    for feature in FEATURES:
        silence = torch.zeros(2, 1, 2000, requires_grad=True)
        features = feature(8000)(silence)
        features.sum().backward()
        assert features.isfinite().all()
        assert silence.grad is not None
        assert silence.grad.isfinite().all()


@pytest.mark.parametrize("feature", FEATURES)
def test_gradients(feature: type) -> None:
    options = {} if feature is Spectrogram else {"mels": 6}
    options |= {"coefficients": 3} if feature is MFCC else {}
    module = feature(1000, window=0.032, hop=0.020, **options).double()
    sound = torch.randn(2, 1, 60, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(module, sound)


def test_gradients_of_pcens_parameters() -> None:
    norm = EnergyNorm(3).double()
    names, values = zip(*norm.named_parameters(), strict=True)
    energy = torch.rand(2, 1, 3, 9, dtype=torch.float64)
    assert len(names) == 4

    def normalised(*values: Tensor) -> Tensor:
        return torch.func.functional_call(norm, dict(zip(names, values, strict=True)), (energy,))

    assert torch.autograd.gradcheck(normalised, tuple(v.detach().requires_grad_() for v in values))


def test_pcen_stays_finite_after_wild_steps() -> None:
    norm = EnergyNorm(3)
    for size in (1e2, -1e2, 1e6, -1e6):
        for parameter in norm.parameters():
            torch.nn.init.constant_(parameter, size)
        features = norm(torch.rand(2, 1, 3, 50) * 1e4)
        features.sum().backward()
        assert features.isfinite().all()
        assert all(p.grad.isfinite().all() for p in norm.parameters())


def test_full_precision_under_autocast() -> None:
    sound = torch.randn(2, 1, 4000)
    for feature in FEATURES:
        module = feature(8000)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = module(sound)
        assert torch.equal(found, module(sound))


def test_what_is_saved() -> None:
    assert not LogMel(8000).state_dict()
    assert not dict(PCEN(8000, learned=False).named_parameters())
    assert len(PCEN(8000, learned=False).state_dict()) == len(list(PCEN(8000).parameters())) == 4


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: LogMel(8000, mels=200), "at most 148 mels"),
        (lambda: LogMel(8000, low=5000), "at most half the rate, 4000"),
        (lambda: LogMel(8000, high=8000), "20 to 8000 Hz"),
        (lambda: LogMel(8000, mels=0), "mels is 0"),
        (lambda: LogMel(8000, scale="bark"), "'bark'.*htk"),
        (lambda: LogMel(8000, range_db=-3), "range_db is -3"),
        (lambda: LogMel(0), "rate is 0"),
        (lambda: LogMel(8000, window=25, hop=0.0), "hop is 0"),
        (lambda: LogMel(8000, window=0.01, hop=0.025), "hop of"),
        (lambda: MFCC(8000, coefficients=41), "coefficients is 41"),
        (lambda: MFCC(8000, deltas=-1), "deltas is -1"),
        (lambda: EnergyNorm(3, gain=1.0), "strictly between 0 and 1"),
        (lambda: EnergyNorm(3, epsilon=0), "epsilon is 0"),
        (lambda: LogMel(8000)(torch.zeros(1, 1, 199)), "199 samples.*200"),
        (lambda: LogMel(8000)(torch.zeros(1, 2, 8000)), "mono"),
    ],
)
def test_mistakes_are_named(build: object, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        build()


def test_decibels_have_each_recordings_own_floor() -> None:
    power = torch.tensor([[1.0, 1e-3, 0.0], [1e-4, 1e-5, 1e-9]]).reshape(2, 1, 1, 3)
    assert_close(decibels(power, 40).flatten(1), torch.tensor([[0.0, -30, -40], [-40, -50, -80]]))
    assert_close(decibels(power).flatten(1), torch.tensor([[0.0, -30, -100], [-40, -50, -90]]))


@pytest.mark.parametrize("range_db", [None, 0.5, 40.0, 300.0])
@pytest.mark.parametrize("level", [1.0, 1e-9, 0.0])
def test_a_batch_of_decibels_and_their_gradients_are_those_of_each_recording(
    range_db: float | None, level: float
) -> None:
    power = torch.rand(3, 1, 5, 7, dtype=torch.float64).pow(8) * level
    power[1] = 0
    power.requires_grad_()
    floor = power.clamp(min=1e-10)
    if range_db is not None:
        peaks = torch.stack([one.max() for one in floor]).reshape(3, 1, 1, 1)
        floor = torch.maximum(floor, peaks * 10 ** (-range_db / 10))
    expected, found = 10 * floor.log10(), decibels(power, range_db)
    assert_close(found, expected)
    assert_close(*(torch.autograd.grad((x * x.detach()).sum(), power)[0] for x in (found, expected)))
    assert decibels(power[:0], range_db).shape == (0, 1, 5, 7)
