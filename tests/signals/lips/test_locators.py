"""The face in made-up pictures, and the mouth in a face."""

import importlib.util
import sys

import cv2
import numpy as np
import pytest

from sigconv.errors import UsageError
from sigconv.signals.lips import landmarks, yunet
from sigconv.signals.lips.faces import Box, FaceSearch
from sigconv.signals.lips.haar import HaarLocator
from sigconv.signals.lips.landmarks import RIGID, LandmarkLocator
from sigconv.signals.lips.pose import Picture
from sigconv.signals.lips.yunet import YunetLocator


class Squares:
    """Detects white squares, and counts the pixels in which it searched."""

    def __init__(self) -> None:
        self.pixels = 0

    def __call__(self, grey: Picture, smallest: float, largest: float) -> list[Box]:
        self.pixels += grey.size
        count, _, stats, _ = cv2.connectedComponentsWithStats((grey > 127).astype(np.uint8))
        boxes = [Box(*(float(number) for number in stats[i, :3])) for i in range(1, count)]
        return [box for box in boxes if smallest <= box.side <= largest]


def picture(*squares: tuple[int, int, int], size: tuple[int, int] = (360, 288)) -> Picture:
    grey = np.zeros(size[::-1], np.uint8)
    for x, y, side in squares:
        grey[y : y + side, x : x + side] = 255
    return grey


def assert_near(box: Box | None, square: tuple[int, int, int], tolerance: float) -> None:
    assert box is not None
    np.testing.assert_allclose(box, square, atol=tolerance)


def test_search_follows_a_face_cheaply_and_finds_it_again():
    squares = Squares()
    search = FaceSearch(squares)
    assert search(picture()) is None
    assert_near(search(picture((100, 50, 120))), (100, 50, 120), 2)
    squares.pixels = 0
    for step in range(5):
        assert_near(search(picture((100 + 5 * step, 50, 120))), (100 + 5 * step, 50, 120), 2)
    assert squares.pixels <= 5 * 161**2
    assert search(picture()) is None
    assert_near(search(picture((10, 160, 120))), (10, 160, 120), 2)


def test_search_takes_the_biggest_at_any_resolution():
    assert_near(FaceSearch(Squares())(picture((20, 20, 60), (150, 60, 120))), (150, 60, 120), 2)
    film = picture((1000, 300, 400), (100, 100, 200), size=(1920, 1080))
    assert_near(FaceSearch(Squares())(film), (1000, 300, 400), 5)


def test_haar_sees_nobody_in_noise():
    noise = np.random.default_rng(0).integers(0, 256, (288, 360, 3)).astype(np.uint8)
    assert HaarLocator()(noise) is None


def face(eyes: float, angle: float, centre: complex) -> np.ndarray:
    """Landmarks of the mean face, complex (68,); those that do not matter are somewhere."""
    points = np.full(68, 9 + 9j)
    points[36:42], points[42:48] = (RIGID[36] + RIGID[39]) / 2, (RIGID[42] + RIGID[45]) / 2
    points[list(RIGID)] = list(RIGID.values())
    points[[48, 54]] = -0.4, 0.4
    return centre + eyes * np.exp(1j * angle) * points


def test_pose_of_landmarks():
    assert landmarks.pose_of(face(47, 0, 100 + 200j)) == pytest.approx((100, 200, 47, 0))
    assert landmarks.pose_of(face(30, 0.3, 50 + 20j)) == pytest.approx((50, 20, 30, 0.3))


def test_turned_head_keeps_its_roll_and_most_of_its_size():
    points = face(40, 0, 0j)
    turned = np.cos(0.4) * points.real + 1j * points.imag
    turned[[28, 29, 30, 33]] += [2, 4, 6, 3]  # the nose stands out
    pose = landmarks.pose_of(turned)
    assert pose.angle == pytest.approx(0, abs=1e-6)
    assert 40 * np.cos(0.4) + 1 < pose.eyes < 40


def test_landmarks_without_dlib_name_the_cure(monkeypatch):
    landmarks._models.cache_clear()
    monkeypatch.setitem(sys.modules, "dlib", None)
    with pytest.raises(UsageError, match=r"needs dlib, .* pip install 'sigconv\[landmarks\]'"):
        LandmarkLocator()


@pytest.mark.skipif(importlib.util.find_spec("dlib") is None, reason="dlib is not installed")
def test_landmarks_agree_with_haar(shared_data):
    capture = cv2.VideoCapture(str(shared_data / "grid" / "s1" / "video" / "bbaf5a.mpg"))
    exact, rough = LandmarkLocator(), HaarLocator()
    for _ in range(8):
        frame = capture.read()[1]
        a, b = exact(frame), rough(frame)
        assert a is not None
        assert b is not None
        assert np.hypot(a.x - b.x, a.y - b.y) < 0.15 * a.eyes
        assert b.eyes == pytest.approx(a.eyes, rel=0.1)
        assert abs(a.angle) < 0.1


class StubYunet:
    """Answers as cv2.FaceDetectorYN does: rows of box, five landmarks and score."""

    def __init__(self, faces: list[list[float]]) -> None:
        self.faces, self.size = np.array(faces, np.float32), (0, 0)

    def setInputSize(self, size: tuple[int, int]) -> None:  # noqa: N802
        self.size = size

    def detect(self, picture: Picture) -> tuple[int, np.ndarray | None]:
        assert picture.shape[1::-1] == self.size
        return 1, self.faces if len(self.faces) else None


def test_yunet_takes_the_biggest_face(tmp_path, monkeypatch):
    near = [60, 40, 80, 100, 80, 80, 120, 80, 100, 100, 86, 120, 114, 120, 0.9]
    tilted = [5, 5, 90, 120, 50, 50, 80, 90, 50, 90, 30, 80, 40, 100, 0.8]
    far = [200, 10, 20, 25, 205, 15, 215, 15, 210, 20, 206, 25, 214, 25, 0.99]
    (tmp_path / "yunet.onnx").touch()

    def locate(*faces: list[float]) -> object:
        monkeypatch.setattr(cv2.FaceDetectorYN, "create", lambda *_: StubYunet(list(faces)), raising=False)
        return YunetLocator(tmp_path / "yunet.onnx")(np.zeros((480, 640, 3), np.uint8))

    assert locate(far, near) == pytest.approx((200, 240, 80, 0))  # the picture was searched at half its size
    assert locate(tilted, near) == pytest.approx((70, 180, 100, np.arctan2(40, 30)))
    assert locate() is None


def test_yunet_without_its_model_names_the_cure(tmp_path):
    with pytest.raises(UsageError, match=r"there is no file .*none.onnx: fetch .*mouth.model=PATH"):
        YunetLocator(tmp_path / "none.onnx")
    (tmp_path / "text.onnx").write_text("not a network")
    with pytest.raises(UsageError, match=r"text.onnx is not a network .*" + yunet.ZOO):
        YunetLocator(tmp_path / "text.onnx")
