"""The mouth from five landmarks of the face: YuNet, a small network, run by OpenCV."""

import math
from pathlib import Path

import cv2

from sigconv.errors import UsageError
from sigconv.signals.lips.pose import Picture, Pose

LONG_SIDE = 320  # of the picture, in pixels, at most: the network was trained on faces of 10 to 300 pixels
SURE = 0.7  # smallest score of a face, 0..1
ZOO = "https://github.com/opencv/opencv_zoo/tree/main/models/face_detection_yunet"


class YunetLocator:
    """Finds a face, even one turned aside, by Wu, Peng and Yu (2023), "YuNet: a tiny millisecond-level face detector".

    Args:
        model: the network's file, `face_detection_yunet_2023mar.onnx`.

    Raises:
        UsageError: there is no such file, or OpenCV cannot read it as a network.
    """

    def __init__(self, model: str | Path) -> None:
        if not Path(model).is_file():
            raise UsageError(f"there is no file {model}: fetch YuNet's .onnx from {ZOO}, and give mouth.model=PATH")
        try:
            self._detector = cv2.FaceDetectorYN.create(str(model), "", (LONG_SIDE, LONG_SIDE), SURE)
        except cv2.error as error:
            raise UsageError(f"{model} is not a network that OpenCV reads: fetch YuNet's .onnx from {ZOO}") from error

    def __call__(self, frame: Picture) -> Pose | None:
        scale = min(1.0, LONG_SIDE / max(frame.shape))
        small = cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        height, width = small.shape[:2]
        self._detector.setInputSize((width, height))
        _, faces = self._detector.detect(small)
        if faces is None:
            return None
        biggest = max(faces, key=lambda face: face[2] * face[3])
        return pose_of([float(number) / scale for number in biggest[4:14]])


def pose_of(points: list[float]) -> Pose:
    """The pose of a face with these five landmarks.

    Args:
        points: x and y of the right eye, the left eye, the tip of the nose, and the right and left corner of the mouth,
            in pixels. Right is the person's own, on the left of the picture.
    """
    right_x, right_y, left_x, left_y, _, _, *corners = points
    across, down = left_x - right_x, left_y - right_y
    x, y = (corners[0] + corners[2]) / 2, (corners[1] + corners[3]) / 2
    return Pose(x, y, math.hypot(across, down), math.atan2(down, across))
