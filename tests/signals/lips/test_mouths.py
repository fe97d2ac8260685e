"""Crops of the mouth, from made-up and from real videos."""

from dataclasses import asdict

import cv2
import numpy as np
import pytest
from clips import write_clip

from sigconv.errors import UsageError
from sigconv.signals.lips import mouths
from sigconv.signals.lips.mouths import BadVideo, MouthReader
from sigconv.signals.lips.pose import Picture, Pose

COUNT = 10


@pytest.fixture
def located(monkeypatch):
    """Makes "haar" answer with given poses, one for every frame."""

    def with_poses(poses: list[Pose]) -> None:
        def locator() -> object:
            coming = iter(poses)
            return lambda frame: next(coming)

        monkeypatch.setitem(mouths.LOCATORS, "haar", locator)

    return with_poses


def disc(*places: tuple[float, float]) -> Picture:
    frame = np.zeros((240, 320, 3), np.uint8)
    for x, y in places:
        cv2.circle(frame, (round(x), round(y)), 5, (255, 255, 255), -1)
    return frame


def centre_of_mass(picture: np.ndarray) -> tuple[float, float]:
    moments = cv2.moments(picture.astype(np.float32))
    return moments["m10"] / moments["m00"], moments["m01"] / moments["m00"]


def test_the_mouth_stays_in_the_middle(tmp_path, located):
    places = [(150.0 + i, 100.0 + 2 * i) for i in range(COUNT)]
    located([Pose(x, y, 40, 0.2) for x, y in places])
    read = MouthReader()(write_clip(tmp_path / "a.avi", [disc(place) for place in places]))
    assert read.frames.shape == (1, COUNT, 40, 64)
    assert read.frames.dtype == np.uint8
    assert read.frames.flags.c_contiguous
    np.testing.assert_allclose(centre_of_mass(read.frames[0, 4]), (31.5, 19.5), atol=0.5)
    np.testing.assert_allclose(read.poses[4], (154, 108, 40, 0.2), atol=0.5)
    assert read.notes == []


def test_the_middle_of_the_crop_is_the_place_of_the_mouth():
    picture = np.zeros((241, 321, 3), np.uint8)
    cv2.circle(picture, (160, 120), 5, (255, 255, 255), -1)
    crop = MouthReader(height=41, width=65)._crop(picture, np.array([160, 120, 65 / 1.7, 0]), 1)[0]
    np.testing.assert_array_equal(crop, crop[::-1, ::-1])


@pytest.mark.parametrize("angle", [0.0, 0.5, -0.3])
def test_upright_and_of_one_size(tmp_path, located, angle):
    """A point half an eye distance to the right along the face's own horizontal, on cameras near and far."""
    for eyes in (20, 40, 80):
        located([Pose(160, 120, eyes, angle)] * COUNT)
        point = 160 + 0.5 * eyes * np.cos(angle), 120 + 0.5 * eyes * np.sin(angle)
        clip = write_clip(tmp_path / f"{eyes}.avi", [disc(point)] * COUNT)
        crop = MouthReader(height=60, width=100, region=2.0)(clip).frames[0, 0]
        np.testing.assert_allclose(centre_of_mass(crop), (49.5 + 25, 29.5), atol=0.07 * 2000 / (eyes + 10))


def test_fine_patterns_do_not_alias(tmp_path, located):
    stripes = np.zeros((240, 320, 3), np.uint8)
    stripes[:, ::2] = 255
    located([Pose(160, 120, 100, 0)] * COUNT)
    crop = MouthReader(height=24, width=40, region=1.7)(write_clip(tmp_path / "a.avi", [stripes] * COUNT)).frames[0, 0]
    assert crop.std() < 15 < 100 < crop.mean() < 155


def test_colour_is_red_green_blue(tmp_path, located):
    located([Pose(160, 120, 40, 0)] * COUNT)
    red = np.zeros((240, 320, 3), np.uint8)
    red[..., 2] = 250
    frames = MouthReader(colour=True)(write_clip(tmp_path / "a.avi", [red] * COUNT)).frames
    assert frames.shape == (3, COUNT, 40, 64)
    np.testing.assert_allclose(frames.mean((1, 2, 3)), (250, 0, 0), atol=8)
    located([Pose(160, 120, 40, 0)] * COUNT)
    grey = MouthReader()(tmp_path / "a.avi").frames
    assert grey.mean() == pytest.approx(0.299 * 250, abs=6)  # as light as red is


def test_at_the_edge_of_the_picture(tmp_path, located):
    located([Pose(5, 235, 40, 0)] * COUNT)
    grey = np.full((240, 320, 3), 90, np.uint8)
    frames = MouthReader()(write_clip(tmp_path / "a.avi", [grey] * COUNT)).frames
    assert np.abs(frames.astype(int) - 90).max() <= 2


def test_rate(tmp_path, located):
    located([Pose(160, 120, 40, 0)] * COUNT)
    read = MouthReader()(write_clip(tmp_path / "a.avi", [disc((160, 120))] * (2 * COUNT), rate=50))
    assert read.frames.shape[1] == COUNT
    assert read.notes == ["resampled from 50 to 25 frames/s"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"locator": "eye"}, "there is no MouthReader locator 'eye'. There are haar, landmarks, yunet"),
        ({"rate": 0}, "rate is 0"),
        ({"region": float("nan")}, "region is nan"),
        ({"height": 0}, "height is 0"),
        ({"width": -1}, "width is -1"),
        ({"height": 48.0}, "height is 48.0, but it must be a whole number"),
        ({"width": "80"}, "width is '80', but it must be a whole number"),
        ({"locator": "yunet"}, "needs its file: give mouth.model=PATH"),
        ({"model": "yunet.onnx"}, "has no model"),
    ],
)
def test_settings_that_cannot_be(settings, message):
    with pytest.raises(UsageError, match=message):
        MouthReader(**settings)


def test_pictures_at_which_opencv_stops(tmp_path, monkeypatch):
    def locate(frame: Picture) -> None:
        cv2.resize(frame[:0], (8, 8))

    monkeypatch.setitem(mouths.LOCATORS, "haar", lambda: locate)
    with pytest.raises(BadVideo, match=r"a\.avi: unreadable; OpenCV stops at it \(.+\); convert it again") as caught:
        MouthReader()(write_clip(tmp_path / "a.avi", [disc()] * COUNT))
    assert caught.value.reason == "unreadable"


def test_settings_are_plain():
    reader = MouthReader("yunet", "yunet.onnx", rate=30, colour=True)
    assert MouthReader(**asdict(reader)) == reader


def test_real_clip(shared_data):
    read = MouthReader()(shared_data / "grid" / "s1" / "video" / "bbaf5a.mpg")
    assert read.frames.shape == (1, 75, 40, 64)
    assert read.quality.found == 1
    assert read.quality.jitter < 0.04
    assert read.quality.score > 0.85
    # Landmarks (dlib) put the mouth at (168.5, 208.8) on average, the eyes 47.2 pixels apart.
    np.testing.assert_allclose(read.poses[:, :3].mean(0), (168.5, 208.8, 47.2), atol=2)
    assert np.abs(np.diff(read.poses[:, :2], axis=0)).max() < 1.5
    # The mouth's opening, dark and changing, is in the middle; the cheeks are neither.
    changes = read.frames[0].std(0)
    assert changes[18:34, 28:52].mean() > 2 * changes[:, :12].mean()


def test_damaged_clip_is_refused(shared_data):
    with pytest.raises(BadVideo, match=r"pbio7a.mpg: no face; one was found in \d\d of 75 frames") as caught:
        MouthReader()(shared_data / "grid" / "s1" / "video" / "pbio7a.mpg")
    assert caught.value.reason == "no face"


def test_damaged_silence_is_kept_and_told(shared_data):
    assert MouthReader()(shared_data / "grid" / "s1" / "video" / "brwa4p.mpg").quality.found == pytest.approx(63 / 75)
