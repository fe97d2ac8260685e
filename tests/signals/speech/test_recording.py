import contextlib
import pickle
import random
import signal
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sigconv.errors import UsageError
from sigconv.signals.speech.recording import BadRecording, find_faults, read_recording

RATE = 44_100


def tone(seconds=0.5, rate=RATE, frequency=440, level=0.3):
    return (level * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


@pytest.fixture
def write(tmp_path):
    """Writes samples (T,) or (T, C) and returns the file."""

    def write(name, samples, rate=RATE, **options):
        soundfile.write(tmp_path / name, samples, rate, **options)
        return tmp_path / name

    return write


def strongest(samples, rate):
    """The frequency with most energy, in Hz."""
    return float(np.abs(np.fft.rfft(samples[0])).argmax() * rate / samples.shape[-1])


def reason(path, *args):
    with pytest.raises(BadRecording) as error:
        read_recording(path, *args)
    assert str(path) in str(error.value)
    return error.value.reason


def test_16_bits_of_the_right_rate_come_bit_for_bit(write):
    samples = np.array([0, 1, 32767, -32768, 1234, -1233, -31000, 31000], np.int16)
    recording = read_recording(write("a.wav", samples, 8000), 8000)
    assert recording.samples.dtype == np.int16
    assert recording.samples.tolist() == [samples.tolist()]
    assert (recording.notes, recording.faults) == ([], ())


def test_real_recordings_come_bit_for_bit(shared_data):
    for path in sorted((shared_data / "fsdd" / "recordings").glob("*_theo_7.wav")):
        samples, rate = soundfile.read(path, dtype="int16")
        assert np.array_equal(read_recording(path, rate).samples[0], samples)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.wav", {"subtype": "PCM_U8"}),
        ("a.wav", {"subtype": "PCM_16"}),
        ("a.wav", {"subtype": "PCM_24"}),
        ("a.wav", {"subtype": "PCM_32"}),
        ("a.wav", {"subtype": "FLOAT"}),
        ("a.wav", {"subtype": "ULAW"}),
        ("a.aiff", {}),
        ("a.flac", {}),
        ("a.ogg", {}),
        ("a.mp3", {}),
    ],
)
def test_every_format_gives_the_same_sound(write, name, options):
    recording = read_recording(write(name, np.stack([tone(), tone()], 1), **options), 16_000)
    assert recording.samples.shape == (1, 8000)
    assert recording.notes == ["2 channels mixed down", "resampled from 44100 Hz"]
    expected = 32768 * tone(rate=16_000)
    inner = slice(500, -500)  # a lossy codec smears the beginning and the end
    error = recording.samples[0, inner] - expected[inner]
    assert np.sqrt(np.mean(error**2)) < 0.03 * np.sqrt(np.mean(expected**2))


def test_opus(write):
    path = write("a.opus", tone(rate=48_000), 48_000, format="OGG", subtype="OPUS")
    recording = read_recording(path, 16_000)
    assert strongest(recording.samples, 16_000) == pytest.approx(440, abs=3)


def test_resampling_lets_nothing_through_that_the_new_rate_cannot_hold(write):
    recording = read_recording(write("a.wav", tone(frequency=440) + tone(frequency=5000)), 8000)
    spectrum = np.abs(np.fft.rfft(recording.samples[0] * np.hanning(4000)))
    at_440, at_alias = spectrum[440 // 2], spectrum[3000 // 2 - 5 : 3000 // 2 + 5].max()
    assert at_alias < 1e-3 * at_440


def test_sound_above_the_new_rate_alone_is_silent(write):
    assert reason(write("a.wav", tone(frequency=15_000) * np.hanning(RATE // 2)), 8000) == "silent"


def test_resampling_upwards(write):
    recording = read_recording(write("a.wav", tone(rate=8000), 8000), 16_000)
    assert recording.samples.shape == (1, 8000)
    assert strongest(recording.samples, 16_000) == pytest.approx(440, abs=3)


def test_unrelated_channels_are_mixed_down(write):
    channels = np.stack([tone(frequency=300), tone(frequency=700)], 1)
    recording = read_recording(write("a.wav", channels), RATE)
    assert np.allclose(recording.samples[0], 32768 * channels.mean(1), atol=2)
    assert recording.notes == ["2 channels mixed down"]


def test_a_recording_takes_little_more_memory_than_its_channels_and_their_mix(write):
    """As those of an hour are two gigabytes."""
    channels = np.random.default_rng(0).normal(0, 0.1, (1 << 19, 2)).astype(np.float32)
    path = write("a.wav", channels)
    tracemalloc.start()
    read_recording(path, RATE)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1.2 * (channels.nbytes + channels.nbytes / 2)


@pytest.mark.parametrize("count", [6, 20])
def test_dead_channels_do_not_look_like_cancellation(write, count):
    channels = np.zeros((RATE // 2, count), np.float32)
    channels[:, 2] = tone()
    assert read_recording(write("a.wav", channels), RATE).notes == [f"{count} channels mixed down"]


def test_of_channels_that_cancel_each_other_the_loudest_is_taken(write):
    path = write("a.wav", np.stack([tone(level=0.29), -tone(level=0.3)], 1))
    recording = read_recording(path, RATE)
    assert np.allclose(recording.samples[0], 32768 * -tone(level=0.3), atol=1)
    assert recording.notes == ["2 channels cancel each other: number 2, the loudest, taken alone"]
    assert strongest(read_recording(path, 16_000).samples, 16_000) == pytest.approx(440, abs=3)


def test_floats_beyond_full_scale_are_turned_down_and_not_cut_off(write):
    recording = read_recording(write("a.wav", tone(level=2), subtype="FLOAT"), RATE)
    assert recording.notes == ["clipped: it was recorded too loud", "turned down by 6.0 dB, to stay within full scale"]
    assert np.allclose(recording.samples[0], np.clip(32768 * tone(level=1), -32768, 32767), atol=2)


@pytest.mark.parametrize(("offset", "removed"), [(0.2, True), (-0.05, True), (0.005, False)])
def test_an_offset_is_removed_where_zeros_around_it_would_make_it_heard(write, offset, removed):
    recording = read_recording(write("a.wav", tone() + np.float32(offset)), RATE)
    rest = 0 if removed else 32768 * offset
    assert np.allclose(recording.samples[0], 32768 * tone() + rest, atol=2)
    assert recording.notes == ([f"an offset of {offset:.2%} of full scale removed"] if removed else [])


@pytest.mark.parametrize("subtype", ["PCM_24", "FLOAT"])
def test_what_is_finer_than_16_bits_and_quiet_is_turned_up(write, subtype):
    recording = read_recording(write("a.wav", tone(level=0.0003), subtype=subtype), RATE)
    assert recording.notes == ["turned up by 64.4 dB, as 16 bits would hold little of it"]
    assert np.allclose(recording.samples[0], 32768 * tone(level=0.5), atol=16)  # of 24 bits


def test_what_is_quiet_in_16_bits_comes_as_it_is(write):
    samples = np.rint(32768 * tone(level=0.001)).astype(np.int16)
    recording = read_recording(write("a.wav", samples), RATE)
    assert (recording.samples[0].tolist(), recording.notes) == (samples.tolist(), [])


@pytest.mark.parametrize("subtype", ["GSM610", "G721_32", "NMS_ADPCM_32"])
def test_a_format_of_telephones_that_cannot_be_sought_in(write, subtype):
    recording = read_recording(write("a.wav", tone(rate=8000, frequency=300), rate=8000, subtype=subtype), 8000)
    assert strongest(recording.samples, 8000) == pytest.approx(300, abs=5)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no alarms")
def test_an_interruption_never_passes_for_the_end_of_a_file(shared_data, monkeypatch):
    """Whenever it comes, it comes through, or the recording is whole."""
    path = next((shared_data / "fsdd" / "recordings").glob("2_lucas_*.wav"))
    whole, drawn, answers = read_recording(path, 8000).samples, random.Random(0), []

    def interrupt(*_):
        done.append(True)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    monkeypatch.setattr("sys.unraisablehook", lambda unraisable: None)  # in __del__, where Python itself drops it
    try:
        for _ in range(60):
            done = []
            with contextlib.suppress(KeyboardInterrupt):
                signal.setitimer(signal.ITIMER_REAL, drawn.uniform(1e-4, 3e-3))
                while not done:
                    answers.append(read_recording(path, 8000).samples)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert answers
    assert all(np.array_equal(samples, whole) for samples in answers)


def test_a_bad_recording_can_be_sent_to_another_process(tmp_path):
    with pytest.raises(BadRecording) as found:
        read_recording(tmp_path / "none.wav", 8000)
    sent = pickle.loads(pickle.dumps(found.value))
    assert (str(sent), sent.reason) == (str(found.value), "missing")


def test_files_that_are_no_recordings(tmp_path, write):
    (tmp_path / "text.wav").write_text("yes, I am a text\n" * 20)
    (tmp_path / "nothing.wav").touch()
    assert reason(tmp_path / "none.wav", 8000) == "missing"
    assert reason(tmp_path, 8000) == "unreadable"
    assert reason(tmp_path / "text.wav", 8000) == "not audio"
    assert reason(tmp_path / "nothing.wav", 8000) == "empty"
    assert reason(write("header.wav", np.zeros(0)), 8000) == "empty"
    assert reason(write("short.wav", np.array([0.5, -0.5])), 1000) == "empty"
    assert issubclass(BadRecording, UsageError)


def test_m4a_is_told_how_to_convert_it(tmp_path):
    path = tmp_path / "my x.m4a"
    path.write_bytes(b"\0\0\0\x20ftypM4A \0\0\0\0" + bytes(100))
    with pytest.raises(BadRecording, match="wav, flac, ogg, opus, mp3 and aiff can be read") as error:
        read_recording(path, 8000)
    assert f"ffmpeg -i '{path}' '{tmp_path / 'my x.wav'}'" in str(error.value)


@pytest.mark.parametrize(
    ("name", "share"),
    [("a.mp3", 0.5), ("a.mp3", 0.9)]
    + [(f"a.{kind}", s) for kind in ("wav", "aiff", "au", "w64", "rf64", "caf", "flac", "ogg") for s in (0.5, 0.99)],
)
def test_truncated_files_are_found_out(write, name, share):
    path = write(name, tone(2))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    assert reason(path, 16_000) == "truncated"


@pytest.mark.parametrize(("kind", "order"), [("WAV", "BIG"), ("AU", "LITTLE")])
def test_truncated_files_of_the_other_byte_order(write, kind, order):
    path = write("a", tone(), format=kind, subtype="PCM_16", endian=order)
    assert read_recording(path, RATE).samples.shape == (1, 22050)
    path.write_bytes(path.read_bytes()[:-1000])
    assert reason(path, RATE) == "truncated"


def set_flags(page, flags):
    """The same page of Ogg with other flags (RFC 3533)."""
    page = page[:5] + bytes([flags]) + page[6:22] + bytes(4) + page[26:]
    checksum = 0
    for byte in page:
        checksum ^= byte << 24
        for _ in range(8):
            checksum = (checksum << 1 ^ (0x04C11DB7 if checksum >> 31 else 0)) & 0xFFFFFFFF
    return page[:22] + struct.pack("<I", checksum) + page[26:]


def unmark_end(path: Path):
    """Makes nothing of an Ogg file tell that its last page is the last, as recorders on Android do."""
    whole = path.read_bytes()
    last = whole.rfind(b"OggS")
    assert whole[last + 5] == 4
    assert whole[last:] == set_flags(whole[last:], 4)
    path.write_bytes(whole[:last] + set_flags(whole[last:], 0))


@pytest.mark.parametrize(("codec", "lost"), [("VORBIS", 0), ("OPUS", 0.02)])
def test_ogg_whose_last_page_is_not_marked_as_the_last(write, codec, lost):
    """Opus lacks no more than its last packet."""
    path = write("a.ogg", tone(3, 48_000), 48_000, format="OGG", subtype=codec)
    whole = read_recording(path, 48_000).samples
    unmark_end(path)
    recording = read_recording(path, 48_000)
    assert (1 - lost / 3) * 144_000 <= recording.samples.shape[1] <= 144_000
    assert np.array_equal(recording.samples, whole[:, : recording.samples.shape[1]])
    assert recording.notes == []
    path.write_bytes(path.read_bytes()[:-10])
    assert reason(path, 16_000) == "truncated"


def test_opus_that_is_damaged_before_its_end(write):
    """One page too early claims to end in its middle, as only the last one may."""
    path = write("a.ogg", tone(3, 48_000), 48_000, format="OGG", subtype="OPUS")
    pages = path.read_bytes().split(b"OggS")
    early = b"OggS" + pages[-2]
    moment = struct.pack("<q", struct.unpack("<q", early[6:14])[0] - 100)
    pages[-2] = set_flags(early[:6] + moment + early[14:], 0)[4:]
    path.write_bytes(b"OggS".join(pages))
    assert reason(path, 16_000) == "truncated"


def test_flac_with_a_wrong_byte_is_damaged(write):
    path = write("a.flac", np.random.default_rng(0).normal(0, 0.1, 16_000))
    sound = bytearray(path.read_bytes())
    sound[len(sound) // 2] ^= 0x55
    path.write_bytes(sound)
    assert reason(path, RATE) == "truncated"


def test_truncated_wav_with_an_odd_chunk_before_its_sound(write):
    path = write("a.wav", tone())
    whole = path.read_bytes()
    odd = b"note" + struct.pack("<I", 3) + b"abc" + b"\0"
    path.write_bytes(whole[:36] + odd + whole[36:])
    assert read_recording(path, RATE).samples.shape == (1, 22050)
    path.write_bytes(whole[:36] + odd + whole[36:-1000])
    assert reason(path, RATE) == "truncated"


def test_wav_from_a_pipe_whose_header_tells_no_length_is_whole(write):
    path = write("a.wav", tone())
    content = bytearray(path.read_bytes())
    content[4:8] = content[40:44] = struct.pack("<I", 0xFFFFFFFF)
    path.write_bytes(content)
    assert read_recording(path, RATE).samples.shape == (1, 22050)


@pytest.mark.parametrize(
    ("kind", "at", "unknown"),
    [("au", 8, b"\xff" * 4), ("w64", 96, b"\xff" * 7 + b"\x7f"), ("w64", 96, bytes(8))],
)
def test_other_files_that_tell_no_length_are_whole(write, kind, at, unknown):
    path = write(f"a.{kind}", tone(), subtype="PCM_16")
    content = path.read_bytes()
    known = int.from_bytes(content[at : at + len(unknown)], "little" if kind == "w64" else "big")
    assert known == 44_100 + (24 if kind == "w64" else 0)
    path.write_bytes(content[:at] + unknown + content[at + len(unknown) :])
    assert read_recording(path, RATE).samples.shape == (1, 22050)


def test_a_chunk_of_w64_without_a_length_does_not_stop_the_reader(write):
    path = write("a.w64", tone())
    content = path.read_bytes()
    for length in (bytes(8), b"\xff" * 8):
        path.write_bytes(content[:56] + length + content[64:])
        with contextlib.suppress(BadRecording):
            read_recording(path, RATE)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_not_finite(write, value):
    samples = tone()
    samples[7] = value
    assert reason(write("a.wav", samples, subtype="FLOAT"), RATE) == "not finite"


@pytest.mark.parametrize("samples", [np.zeros(800), np.full(800, 0.25), tone(level=0.9e-4)])
def test_silent(write, samples):
    assert reason(write("a.wav", samples, subtype="FLOAT"), RATE) == "silent"


def test_quiet_is_not_silent(write):
    samples = np.rint(32768 * tone(level=2e-4)).astype(np.int16)
    assert read_recording(write("a.wav", samples), RATE).samples.max() == 7


def test_clipped(write):
    clipped = np.clip(tone(level=3), -1, 1)
    recording = read_recording(write("a.wav", np.stack([tone(), clipped], 1)), 16_000)
    assert recording.faults == ("clipped",)
    assert recording.notes[0] == "clipped: it was recorded too loud"
    for coding in ("PCM_U8", "ULAW"):
        assert read_recording(write("b.wav", clipped, subtype=coding), RATE).faults == ("clipped",)


def test_find_faults():
    loud = np.random.default_rng(0).laplace(size=16_000)
    loud /= np.abs(loud).max()  # as speech: a single peak at full scale
    assert find_faults(loud) == []
    assert find_faults(np.clip(20 * loud, -1, 1)) == ["clipped"]
    assert find_faults(np.int16(32767 * np.clip(20 * loud, -1, 1))[None]) == ["clipped"]
    assert find_faults(np.clip(20 * loud, -0.5, 0.5)) == []  # quiet enough: what limited it is not the recorder
    spikes = np.zeros(16_000)
    spikes[::50] = 1  # full scale in 2 % of all samples, but never in a run
    assert find_faults(spikes) == []
    assert find_faults(np.zeros((2, 100), np.int16)) == ["silent"]
    assert find_faults(np.float32(4 * loud)) == []  # beyond full scale, which floating point holds
    assert find_faults(np.float32(40 * np.repeat(loud, 4))) == []  # in runs, too
    assert find_faults(np.clip(20 * loud, -0.95, 0.95)) == []
    few = np.zeros(10_000)
    few[:10], few[-150:] = 0.5, 1  # 1.5 %
    assert find_faults(few) == ["clipped"]
    assert find_faults(np.float32(4 * np.clip(20 * loud, -1, 1))) == ["clipped"]


def test_real_recordings_are_healthy_but_for_one_shouted_up(shared_data):
    for path in sorted((shared_data / "fsdd" / "recordings").glob("*_7.wav")):
        assert read_recording(path, 8000).faults == ()
    folder = shared_data / "speech_commands" / "up"
    assert read_recording(folder / "19b05529_nohash_0.wav", 16_000).faults == ("clipped",)
    clipped = [path for path in sorted(folder.glob("*.wav"))[:100] if read_recording(path, 16_000).faults]
    assert len(clipped) <= 3
