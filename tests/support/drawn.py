"""What a page shows, as pixels."""

import base64
import re

import cv2
import numpy as np
from markupsafe import Markup


def picture(markup: Markup) -> np.ndarray:
    """Its first picture, (height, width, 4): blue, green, red, opacity."""
    match = re.search(r'base64,([^"]+)"', markup)
    assert match is not None
    return cv2.imdecode(np.frombuffer(base64.b64decode(match[1]), np.uint8), cv2.IMREAD_UNCHANGED)
