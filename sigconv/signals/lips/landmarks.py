"""The mouth from 68 landmarks of the face: dlib's detector and predictor, the accurate way."""

from functools import cache
from importlib import resources
from typing import Any

import cv2
import numpy as np

from sigconv.errors import UsageError
from sigconv.signals.lips.faces import Box, FaceSearch
from sigconv.signals.lips.pose import Picture, Pose

# Points of the face that neither speech nor blinking moves, by their index among the 68, in the predictor's own mean
# face (iBUG 300-W): x + iy in distances between the eyes, relative to the middle of the mouth.
RIGID = {
    36: -0.696 - 1.060j,  # corners of the eyes
    39: -0.294 - 1.031j,
    42: 0.294 - 1.031j,
    45: 0.696 - 1.060j,
    27: -1.084j,  # bridge of the nose
    28: -0.889j,
    29: -0.696j,
    30: -0.497j,
    31: -0.232 - 0.362j,  # its base
    32: -0.121 - 0.321j,
    33: -0.286j,
    34: 0.121 - 0.321j,
    35: 0.232 - 0.362j,
}
RIGHT_EYE, LEFT_EYE = slice(36, 42), slice(42, 48)  # the person's own, so the right one is on the left
CORNERS = (48, 54)  # of the mouth


class LandmarkLocator:
    """Finds the landmarks of a face by Kazemi and Sullivan (2014), "One millisecond face alignment with an ensemble of
    regression trees", in the box of a HOG (histogram of oriented gradients) detector.

    The size is the scale of the similarity transform that maps the rigid points of a mean face to this one (least
    squares, Umeyama 1991), so that a head that turns aside does not seem smaller, as it would by its eyes alone. The
    roll is that of the line through the eyes, because a turned head's nose would bias that of the transform. The centre
    is half-way between the mouth's corners: as the mouth opens, they move by 0.02 to 0.03 distances between the eyes,
    less than faces differ from a mean face.

    It remembers where the face was: use a new one for every clip.

    Raises:
        UsageError: dlib or its model is not installed.
    """

    def __init__(self) -> None:
        self._dlib, self._detector, self._predictor = _models()
        self._search = FaceSearch(self._detect)

    def __call__(self, frame: Picture) -> Pose | None:
        grey = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
        box = self._search(grey)
        return None if box is None else pose_of(self._landmarks(grey, box))

    def _landmarks(self, grey: Picture, box: Box) -> np.ndarray:
        """complex (68,): x + iy in pixels."""
        left, top, right, bottom = box.x, box.y, box.x + box.side, box.y + box.side
        rectangle = self._dlib.rectangle(*(round(edge) for edge in (left, top, right, bottom)))
        return np.array([complex(point.x, point.y) for point in self._predictor(grey, rectangle).parts()])

    def _detect(self, grey: Picture, smallest: float, largest: float) -> list[Box]:
        boxes = [Box(found.left(), found.top(), found.width()) for found in self._detector(grey, 0)]
        return [box for box in boxes if smallest <= box.side <= largest]


def pose_of(landmarks: np.ndarray) -> Pose:
    """The pose of a face with these 68 landmarks, complex (68,): x + iy in pixels."""
    mean, face = np.array(list(RIGID.values())), landmarks[list(RIGID)]
    mean, face = mean - mean.mean(), face - face.mean()
    turn = np.vdot(mean, face) / np.vdot(mean, mean)  # multiplying by it scales and rotates
    mouth, eyes = landmarks[list(CORNERS)].mean(), landmarks[LEFT_EYE].mean() - landmarks[RIGHT_EYE].mean()
    return Pose(float(mouth.real), float(mouth.imag), float(abs(turn)), float(np.angle(eyes)))


@cache  # the model is read in half a second
def _models() -> tuple[Any, Any, Any]:
    """dlib, its detector and its predictor."""
    try:
        import dlib

        models = resources.files("face_recognition_models") / "models"
    except ImportError as error:
        raise UsageError(
            f"the locator of landmarks needs {error.name}, which is not installed: pip install 'sigconv[landmarks]'"
        ) from error
    with resources.as_file(models / "shape_predictor_68_face_landmarks.dat") as path:
        return dlib, dlib.get_frontal_face_detector(), dlib.shape_predictor(str(path))
