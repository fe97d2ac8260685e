"""The mouth from the face's box alone: OpenCV's Haar cascade, which needs no model besides OpenCV."""

import cv2
import cv2.data

from sigconv.signals.lips.faces import Box, FaceSearch
from sigconv.signals.lips.pose import Picture, Pose

CASCADE = "haarcascade_frontalface_alt2.xml"

# The place of the mouth in the box, and the distance between the eyes, in sides of the box: means over 30 clips of one
# speaker (GRID's s1, 2,250 frames) of what `LandmarkLocator` finds, from which they differ by 0.01.
MOUTH_X, MOUTH_Y, EYES = 0.510, 0.804, 0.342


class HaarLocator:
    """Finds an upright face by Viola and Jones (2001), "Rapid object detection using a boosted cascade of simple
    features", and takes the mouth to be where most people have it.

    It measures neither the roll (the angle is 0) nor the proportions of the face. It remembers where the face was: use
    a new one for every clip.
    """

    def __init__(self) -> None:
        self._cascade = cv2.CascadeClassifier(cv2.data.haarcascades + CASCADE)
        self._search = FaceSearch(self._detect)

    def __call__(self, frame: Picture) -> Pose | None:
        box = self._search(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY))
        if box is None:
            return None
        return Pose(box.x + MOUTH_X * box.side, box.y + MOUTH_Y * box.side, EYES * box.side, 0.0)

    def _detect(self, grey: Picture, smallest: float, largest: float) -> list[Box]:
        least, most = int(smallest), int(largest)
        found = self._cascade.detectMultiScale(grey, 1.07, 4, minSize=(least, least), maxSize=(most, most))
        return [Box(x, y, side) for x, y, side, _ in found]
