"""What is heard in a stream of sound, and in a microphone that is not there."""

import sys
from collections.abc import Iterator
from itertools import pairwise
from types import ModuleType

import numpy as np
import pytest
import torch
from tones import ABOUT, LENGTH, RATE, Ears, utterance, whistle
from typer.testing import CliRunner

from sigconv import cli
from sigconv.errors import UsageError
from sigconv.inference import listen as listening
from sigconv.inference.listen import hear, listen, microphone
from sigconv.inference.predict import Segment, predict

WORDS = ["low", "high", "high", "middle", "low", "middle", "high", "low", "middle", "low", "high", "middle"]


def cut(sound: np.ndarray, blocks: list[int]) -> Iterator[np.ndarray]:
    at, turn = 0, 0
    while at < len(sound):
        yield sound[at : at + blocks[turn % len(blocks)]]
        at, turn = at + blocks[turn % len(blocks)], turn + 1


def check_words(found: list[Segment], words: list[tuple[str, float, float]]) -> None:
    assert [segment.label for segment in found] == [word for word, _, _ in words]
    for segment, (_, start, end) in zip(found, words, strict=True):
        assert (segment.start, segment.end) == pytest.approx((start, end), abs=0.03)


@pytest.mark.parametrize("blocks", [[2000], [317], [160, 3999, 1, 800], [7000]], ids=str)
@pytest.mark.parametrize("noise", [0, 150])
@pytest.mark.parametrize("pause", [0.45, 0.9])
def test_every_word_is_given_once_whatever_the_blocks(blocks: list[int], noise: float, pause: float) -> None:
    sound, words = utterance(WORDS, pause)
    sound = sound + np.random.default_rng(0).normal(0, noise, len(sound)).astype(np.int16)
    stream = np.concatenate([sound, np.random.default_rng(1).normal(0, noise, RATE).astype(np.int16)])
    check_words(list(hear(Ears(), ABOUT, cut(stream, blocks))), words)


def test_an_offset_of_the_microphone_is_not_heard() -> None:
    """Which zeros around a word would make a click at its ends."""
    sound, words = utterance(WORDS, 0.9)
    ears, seen = Ears(), []
    ears.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].float()))
    stream = np.concatenate([sound, np.zeros(RATE, np.int16)]) + np.int16(4000)
    check_words(list(hear(ears, ABOUT, cut(stream, [2000]))), words)
    pieces = torch.cat(seen)
    assert pieces.mean(-1).abs().max() < 0.05 * pieces.abs().max()


def test_what_an_offset_leaves_beyond_16_bits_does_not_turn_over() -> None:
    sound, _ = utterance(WORDS, 0.9)
    ears, seen = Ears(), []
    ears.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].int()))
    offset = -4000
    stream = np.concatenate([sound, np.zeros(RATE, np.int16)]).astype(np.int32) + offset
    stream[sound.argmax()] = 32767  # a click, which is 36767 above the offset
    list(hear(ears, ABOUT, cut(stream.astype(np.int16), [2000])))
    assert torch.cat(seen).max() == 32767


def test_a_word_is_given_as_soon_as_the_pause_after_it() -> None:
    sound, words = utterance(["low", "high", "middle"], pause=0.8)
    given = 0

    def stream() -> Iterator[np.ndarray]:
        nonlocal given
        for block in cut(sound, [400]):
            given += len(block)
            yield block

    for segment, (_, _, end) in zip(hear(Ears(), ABOUT, stream()), words, strict=True):
        assert segment.end < given / RATE < end + 0.5


def test_a_stream_says_what_predict_says_of_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    import soundfile

    sound, words = utterance(WORDS, pause=0.6)
    soundfile.write(tmp_path / "words.wav", sound, RATE)
    monkeypatch.setattr("sigconv.inference.predict.load", lambda run: (Ears(), ABOUT))
    (whole,) = predict("run", [tmp_path / "words.wav"])
    streamed = list(hear(Ears(), ABOUT, cut(np.concatenate([sound, np.zeros(RATE, np.int16)]), [2000])))
    check_words(whole.segments, words)
    assert [segment.label for segment in streamed] == [segment.label for segment in whole.segments]
    for one, other in zip(streamed, whole.segments, strict=True):
        assert (one.start, one.end) == pytest.approx((other.start, other.end), abs=0.041)


def test_speech_without_pause_is_not_waited_for() -> None:
    syllables = [whistle(700, 0.1, level=0.5 if i % 2 else 0.02) for i in range(100)]
    found = list(hear(Ears(), ABOUT, cut(np.concatenate(syllables), [2000])))
    assert found[0].end < 1
    assert found[-1].end > 9
    assert all(b.start - a.start < LENGTH / RATE for a, b in pairwise(found))


def test_a_quiet_room_is_silent() -> None:
    noise = np.random.default_rng(0).normal(0, 8, 10 * RATE).astype(np.int16)
    noise[5 * RATE : 5 * RATE + 800] *= 2
    assert list(hear(Ears(), ABOUT, cut(noise, [2000]))) == []


def test_a_loud_room_is_silent_too_behind_a_microphone_that_was_muted() -> None:
    noise = np.random.default_rng(0).normal(0, 100, 10 * RATE).astype(np.int16)
    noise[: RATE // 2] = 0
    assert list(hear(Ears(), ABOUT, cut(noise, [2000]))) == []


class Device(ModuleType):
    """What sounddevice is to `microphone`."""

    PortAudioError = type("PortAudioError", (Exception,), {})

    def __init__(self, blocks: list[np.ndarray], refuses: str = "") -> None:
        super().__init__("sounddevice")
        self.blocks, self.refuses, self.closed = iter(blocks), refuses, False

    def check_input_settings(self, **settings: object) -> None:
        if self.refuses:
            raise self.PortAudioError(self.refuses)
        assert settings == {"channels": 1, "dtype": "int16", "samplerate": RATE}

    def InputStream(self, samplerate: float, blocksize: int, channels: int, dtype: str) -> "Device":  # noqa: N802
        self.blocksize = blocksize
        return self

    def __enter__(self) -> "Device":
        return self

    def __exit__(self, *_: object) -> None:
        self.closed = True

    def read(self, frames: int) -> tuple[np.ndarray, bool]:
        block = next(self.blocks, None)
        if block is None:
            raise KeyboardInterrupt
        return block[:, None], False


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "load", lambda run: (Ears(), ABOUT))


def test_listening_ends_with_ctrl_c(trained: None, monkeypatch: pytest.MonkeyPatch) -> None:
    sound, _ = utterance(["low", "high"], 0.8)
    device = Device(list(cut(sound, [2000])))
    monkeypatch.setitem(sys.modules, "sounddevice", device)
    result = CliRunner().invoke(cli.app, ["listen", "run"])
    assert result.exit_code == 0
    assert result.exception is None
    lines = result.stdout.splitlines()
    assert [line.split()[-1] for line in lines] == ["low", "high"]
    assert result.stderr == "Listening; Ctrl-C ends it.\n\n"
    assert device.closed


def test_no_package_no_library_no_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(UsageError, match=r"pip install 'sigconv\[microphone\]'"):
        microphone(RATE)

    class Broken:
        def find_spec(self, name: str, *_: object) -> None:
            if name == "sounddevice":
                raise OSError("PortAudio library not found")

    monkeypatch.delitem(sys.modules, "sounddevice")
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    with pytest.raises(UsageError, match="PortAudio library not found: install PortAudio, such as by: apt install"):
        microphone(RATE)
    monkeypatch.setitem(sys.modules, "sounddevice", Device([], refuses="Error querying device -1"))
    with pytest.raises(UsageError, match=r"no microphone that gives 8000 samples .*Error querying device -1.*predict"):
        microphone(RATE)


def test_a_network_for_pictures_does_not_listen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "load", lambda run: (torch.nn.Identity(), {"kind": "image"}))
    with pytest.raises(UsageError, match="run was trained on image, not on sound"):
        listen("run")


def test_a_microphone_that_is_pulled_out_is_told_of(trained: None, monkeypatch: pytest.MonkeyPatch) -> None:
    device = Device([])
    device.read = lambda frames: (_ for _ in ()).throw(device.PortAudioError("Device unavailable"))
    monkeypatch.setitem(sys.modules, "sounddevice", device)
    with pytest.raises(UsageError, match="The microphone stopped: Device unavailable"):
        list(listen("run"))
