"""Frames at the rate that is asked for, from files of any rate, good or bad."""

import os
import pickle
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import hide_start, lay_on_side, numbered, numbers, put_index_first, set_pixel_shape, set_times, write_clip

from sigconv.signals.lips.video import BadVideo, Video


def altered(told: dict[int, Callable[[float], float]]) -> type:
    """`cv2.VideoCapture` as it is, but for what it tells of these properties."""

    class Altered:
        def __init__(self, path: str) -> None:
            self.inner = real(path)

        def __getattr__(self, name: str) -> object:
            return getattr(self.inner, name)

        def get(self, what: int) -> float:
            value = self.inner.get(what)
            return told[what](value) if what in told else value

    real = cv2.VideoCapture
    return Altered


@pytest.mark.parametrize(("source", "rate"), [(25, 25), (30, 25), (50, 25), (15, 25), (24, 30)])
def test_nearest_frame_in_time(tmp_path, source, rate):
    video = Video(write_clip(tmp_path / "clip.avi", numbered(30), source), rate)
    got = np.array(numbers(video))
    assert len(got) == len(video) == round(30 / source * rate)
    wanted = np.minimum(np.arange(len(got)) / rate, 29 / source)  # the last frame lasts until the end
    assert np.abs(got / source - wanted).max() <= 0.5 / source + 1e-9
    assert video.seconds == pytest.approx(30 / source)
    assert video.source_rate == source
    assert video.notes == ([f"resampled from {source} to {rate} frames/s"] if source != rate else [])


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp4", "mp4v"), ("a.mov", "mp4v"), ("a.mkv", "MJPG"), ("a.mpg", "PIM1")]
)
def test_containers(tmp_path, name, codec):
    video = Video(write_clip(tmp_path / name, numbered(20), 25, codec), 25)
    assert np.abs(np.array(numbers(video)) - np.arange(20)).max() <= 1  # the codecs are lossy
    assert video.notes == []


def test_frames_come_again_and_are_bgr(tmp_path):
    blue = np.zeros((48, 64, 3), np.uint8)
    blue[..., 0] = 200
    video = Video(write_clip(tmp_path / "clip.avi", [blue] * 5), 25)
    for _ in range(2):
        frames = list(video)
        assert len(frames) == 5
        assert frames[0].dtype == np.uint8
        assert np.abs(frames[0].mean((0, 1)) - [200, 0, 0]).max() < 10


def test_variable_frame_rate(tmp_path):
    path = write_clip(tmp_path / "clip.mkv", numbered(10), 25)
    set_times(path, [0, 40, 80, 120, 160, 200, 400, 410, 420, 440])
    video = Video(path, 25)
    assert numbers(video) == [0, 1, 2, 3, 4, 5, 5, 5, 6, 6, 6, 9]
    assert "variable frame rate" in video.notes


@pytest.mark.parametrize(
    ("gaps", "told"),
    [
        ({10: 20_000}, "no pictures from 0.4 to 20.4 s: the nearest ones are repeated"),
        ({5: 2_000, 10: 20_000}, "no pictures from 2.4 to 22.4 s, nor in shorter gaps: the nearest ones are repeated"),
        ({10: 800}, None),
    ],
)
def test_a_gap_is_told_of(tmp_path, gaps, told):
    path = write_clip(tmp_path / "clip.mkv", numbered(20), 25)
    set_times(path, [40 * i + 80 + sum(gap for at, gap in gaps.items() if i > at) for i in range(20)])
    assert Video(path, 25).notes[1:] == ["variable frame rate", *([told] if told else [])]


def test_pictures_that_are_all_far_apart_have_no_gap(tmp_path):
    path = write_clip(tmp_path / "clip.mkv", numbered(10), 25)
    set_times(path, [2_000 * i for i in range(10)])
    assert Video(path).notes == []


def test_time_stamps_that_leap_by_hours_do_not_fill_the_memory(tmp_path, monkeypatch):
    def leaping(milliseconds: float) -> float:
        return milliseconds + 7.2e6 * (milliseconds > 390)

    path = write_clip(tmp_path / "clip.avi", numbered(20), 25)
    monkeypatch.setattr(cv2, "VideoCapture", altered({cv2.CAP_PROP_POS_MSEC: leaping}))
    with pytest.raises(BadVideo, match=r"unreadable; its time stamps leap by 7200 s after 0.36 s; .* -r 25 before -i"):
        Video(path, 25)


def test_fewer_frames_than_the_nominal_rate_gives_are_not_truncated(tmp_path):
    """A telephone films more slowly in the dark."""
    path = write_clip(tmp_path / "clip.mkv", numbered(15), 25)
    times = [40 * i for i in range(5)] + [200 + 80 * i for i in range(10)]
    set_times(path, times)
    assert cv2.VideoCapture(str(path)).get(cv2.CAP_PROP_FRAME_COUNT) == 25
    got = np.array(times)[numbers(Video(path, 25))]
    assert len(got) == 25
    assert np.abs(got - 40 * np.arange(25)).max() <= 40
    whole = path.read_bytes()
    path.write_bytes(whole[: 3 * len(whole) // 4])
    with pytest.raises(BadVideo, match=r"truncated; 1\d of 25 frames are there, unless only its sound is longer"):
        Video(path, 25)


@pytest.mark.parametrize("options", [None, "threads;1"])
def test_a_trimmed_clip_is_whole_without_the_frames_it_hides(tmp_path, monkeypatch, options):
    variable = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
    monkeypatch.delenv(variable, raising=False)
    if options:
        monkeypatch.setenv(variable, options)
    path = write_clip(tmp_path / "clip.mp4", numbered(40), 25, "mp4v")
    put_index_first(path)
    hide_start(path, 0.6)
    assert cv2.VideoCapture(str(path)).get(cv2.CAP_PROP_FRAME_COUNT) == 40
    video = Video(path, 25)
    assert np.abs(np.array(numbers(video)) - np.arange(15, 40)).max() <= 1
    assert (video.seconds, video.notes) == (pytest.approx(1), [])
    assert os.environ.get(variable) == options


@pytest.mark.parametrize(("hidden", "share"), [(0, 0.6), (0.6, 0.75), (1.2, 0.96)])
def test_a_trimmed_clip_may_be_cut_short_too(tmp_path, hidden, share):
    """What is missing counts by what is shown, however much is hidden."""
    noise = np.random.default_rng(0).integers(0, 256, (40, 48, 64, 3), np.uint8)
    path = write_clip(tmp_path / "clip.mp4", noise, 25, "mp4v")
    put_index_first(path)
    hide_start(path, hidden)
    Video(path, 25)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(BadVideo, match=r"truncated; \d\d of 40 frames are there"):
        Video(path, 25)


def test_time_stamps_that_do_not_grow(tmp_path, monkeypatch):
    path = write_clip(tmp_path / "clip.avi", numbered(20), 50)
    monkeypatch.setattr(cv2, "VideoCapture", altered({cv2.CAP_PROP_POS_MSEC: lambda _: 0.0}))
    assert numbers(Video(path, 25)) == list(range(0, 20, 2))


def test_upright(tmp_path):
    path = write_clip(tmp_path / "clip.mp4", numbered(5), codec="mp4v")
    assert next(iter(Video(path, 25))).shape == (48, 64, 3)
    lay_on_side(path)
    assert next(iter(Video(path, 25))).shape == (64, 48, 3)


@pytest.mark.parametrize(
    ("pixel", "size", "told"),
    [
        ((4, 3), (85, 48), "4:3"),
        ((128, 90), (91, 48), "64:45"),
        ((1, 2), (64, 96), "1:2"),
        ((1280, 1279), (64, 48), None),  # to round the width of a picture is common
        ((0, 1), (64, 48), None),
        ((5, 0), (64, 48), None),
        ((60_000, 1), (64, 48), None),
    ],
)
def test_pixels_are_made_square(tmp_path, pixel, size, told):
    """What is a disc in the stored picture becomes as oblong as its pixels are."""
    frame = cv2.ellipse(np.zeros((48, 64, 3), np.uint8), (32, 24), (10, 10), 0, 0, 360, (255,) * 3, -1)
    path = write_clip(tmp_path / "clip.mp4", [frame] * 5, codec="mp4v")
    set_pixel_shape(path, *pixel)
    video = Video(path, 25)
    assert {frame.shape for frame in video} == {(size[1], size[0], 3)}
    assert video.notes == ([f"pixels made square ({told})"] if told else [])
    seen = next(iter(video))[..., 0] > 128
    across, along = np.ptp(np.flatnonzero(seen.any(0))) + 1, np.ptp(np.flatnonzero(seen.any(1))) + 1
    assert across / along == pytest.approx(pixel[0] / pixel[1] if told else 1, rel=0.1)
    lay_on_side(path)
    assert {frame.shape for frame in Video(path, 25)} == {(*size, 3)}


@pytest.mark.parametrize(("wide", "high"), [(-4.0, 3.0), (4.0, -3.0), (-1.0, -1.0)])
def test_pixels_of_no_known_shape_are_square(tmp_path, monkeypatch, wide, high):
    told = {cv2.CAP_PROP_SAR_NUM: lambda _: wide, cv2.CAP_PROP_SAR_DEN: lambda _: high}
    monkeypatch.setattr(cv2, "VideoCapture", altered(told))
    video = Video(write_clip(tmp_path / "clip.avi", numbered(5)), 25)
    assert (next(iter(video)).shape, video.notes) == ((48, 64, 3), [])


def test_bad_files_say_why(tmp_path, capfd):
    def bad(name: str, content: bytes | None = None) -> str:
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(BadVideo, match=name) as caught:
            Video(path, 25)
        assert caught.value.path == path
        return caught.value.reason

    def half(name: str, codec: str) -> bytes:
        data = write_clip(tmp_path / name, numbered(60), codec=codec).read_bytes()
        return data[: len(data) // 2]

    assert bad("none.mp4") == "missing"
    assert bad("empty.mp4", b"") == "empty"
    assert bad("text.mp4", b"not a video at all\n" * 100) == "not a video"
    assert bad("cut.mp4", half("whole.mp4", "mp4v")) == "not a video"  # its index is at the end
    assert bad("cut.avi", half("whole.avi", "MJPG")) == "truncated"
    assert bad("picture.png", cv2.imencode(".png", numbered(1)[0])[1].tobytes()) == "not a video"
    (tmp_path / "folder.mp4").mkdir()
    assert bad("folder.mp4") == "unreadable"
    assert capfd.readouterr().err == ""


def test_a_file_of_sound_only_is_told_of(tmp_path):
    path = write_clip(tmp_path / "clip.mp4", numbered(5), codec="mp4v")
    path.write_bytes(path.read_bytes().replace(b"vide", b"soun"))  # the kind of its only track
    with pytest.raises(BadVideo, match=r"not a video; it may hold sound only, .* again as H.264") as caught:
        Video(path, 25)
    assert "convert it to mp4" not in str(caught.value)


def test_error_can_be_sent_to_another_process():
    error = pickle.loads(pickle.dumps(BadVideo(Path("a.mp4"), "truncated", "3 of 9 frames are there")))
    assert (error.path, error.reason) == (Path("a.mp4"), "truncated")
    assert str(error) == "a.mp4: truncated; 3 of 9 frames are there."
