"""Draws mouths: faces, cameras, and frames of the region of the mouth.

Lengths are in distances between the eyes, x to the right and y down from where the lips meet. Contours are functions
y(x), with parameters (frames, 1, 1) broadcast against places (frames, height, width), so that a clip is drawn at once;
each is smoothed over one pixel. Colours are RGB from 0 to 255.
"""

from dataclasses import dataclass

import cv2
import numpy as np

LUMA = np.array([[0.299, 0.587, 0.114]], np.float32)  # ITU-R BT.601
TONGUE, DARK = np.array([176, 92, 88]), np.array([48, 20, 20])
TEXTURE = 128  # pixels along each side of a face's skin texture, which covers two distances between the eyes


@dataclass(frozen=True)
class Face:
    """What a speaker looks like.

    Args:
        width: half of the mouth at rest.
        upper, lower: how thick the lips are.
        bow: depth of the dip in the upper lip.
        corners: how far they are below the middle (negative: above it).
        opening: how far the lips and the jaw can open.
        skew: how much further the right half of the mouth opens.
        teeth: y of the edge of the upper teeth.
        tooth: how broad a tooth is.
        gaps: how dark it is between teeth, from 0 to 1.
        skin, lip, enamel: colours (3,).
        beard: how dark, from 0 to 1.
        texture: of the skin (TEXTURE, TEXTURE), about 0.
        folds: how deep the folds are.
    """

    width: float
    upper: float
    lower: float
    bow: float
    corners: float
    opening: float
    skew: float
    teeth: float
    tooth: float
    gaps: float
    skin: np.ndarray
    lip: np.ndarray
    enamel: np.ndarray
    beard: float
    texture: np.ndarray
    folds: float

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> "Face":
        """A random face."""
        fair, dark = np.array([238, 196, 172]), np.array([104, 66, 50])
        skin = dark + (fair - dark) * rng.beta(2, 1.2) + rng.normal(0, 5, 3)
        redness = rng.uniform(0.25, 0.8)
        grain = rng.standard_normal((TEXTURE, TEXTURE)).astype(np.float32)
        texture = 2.5 * cv2.GaussianBlur(grain, (0, 0), 1.2) + 8 * cv2.GaussianBlur(grain, (0, 0), 6)
        return cls(
            width=rng.uniform(0.38, 0.48),
            upper=rng.uniform(0.08, 0.14),
            lower=rng.uniform(0.10, 0.16),
            bow=rng.uniform(0.1, 0.35),
            corners=rng.uniform(-0.02, 0.03),
            opening=rng.uniform(0.28, 0.40),
            skew=rng.uniform(-0.15, 0.15),
            teeth=rng.uniform(0.0, 0.05),
            tooth=rng.uniform(0.1, 0.135),
            gaps=rng.uniform(0.1, 0.35),
            skin=skin,
            lip=skin * (1 - redness) + redness * skin * np.array([0.86, 0.52, 0.54]),
            enamel=np.array([236, 228, 208]) * rng.uniform(0.8, 1),
            beard=max(0.0, rng.uniform(-0.5, 0.5)),
            texture=texture * rng.uniform(0.6, 1.4),
            folds=rng.uniform(0.3, 1),
        )


@dataclass(frozen=True)
class Camera:
    """How a clip is filmed.

    Args:
        height, width: of a frame, in pixels.
        region: width of a frame, in distances between the eyes.
        pose: (frames, 4): x and y of the mouth from the middle, relative size, roll in radians, clockwise.
        light: level, about 1.
        slope: (2,), how much brighter it is one distance between the eyes to the right, and one down.
        blur: standard deviation, in pixels.
        noise: standard deviation, in levels from 0 to 255.
        quality: of the JPEG compression of each frame, from 1 to 100.
    """

    height: int
    width: int
    region: float
    pose: np.ndarray
    light: float
    slope: tuple[float, float]
    blur: float
    noise: float
    quality: int

    @classmethod
    def drawn(cls, height: int, width: int, region: float, times: np.ndarray, rng: np.random.Generator) -> "Camera":
        """A random camera, and the pose at each of the times, in seconds, of a head that drifts before it."""
        spread = np.array([0.04, 0.03, 0.05, 0.07])
        waves = np.sin(2 * np.pi * (times[:, None] * rng.uniform(0.1, 0.5, 4) + rng.random(4)))
        jitter = rng.normal(0, 0.05, (len(times), 4))
        pose = spread * (rng.normal(0, 0.8, 4) + 0.6 * waves + jitter) + np.array([0, 0, 1, 0])
        return cls(
            height,
            width,
            region,
            pose,
            light=rng.uniform(0.65, 1.15),
            slope=(rng.uniform(-0.4, 0.4), rng.uniform(-0.25, 0.15)),
            blur=rng.uniform(0.3, 0.9) * width / 80,
            noise=rng.uniform(1, 5),
            quality=int(rng.integers(40, 95)),
        )

    def places(self) -> tuple[np.ndarray, np.ndarray]:
        """x and y of each pixel from where the lips meet: (frames, height, width) each."""
        pixel = self.region / self.width
        x = (np.arange(self.width, dtype=np.float32) - (self.width - 1) / 2) * pixel
        y = (np.arange(self.height, dtype=np.float32)[:, None] - (self.height - 1) / 2) * pixel
        shift_x, shift_y, size, roll = self.pose.T.astype(np.float32)[:, :, None, None]
        cosine, sine = np.cos(roll) / size, np.sin(roll) / size
        x, y = x - shift_x, y - shift_y
        return x * cosine + y * sine, y * cosine - x * sine

    def take(self, picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """uint8 frames (channels, frames, height, width) of a picture (frames, height, width, channels)."""
        picture = picture + rng.standard_normal(picture.shape, np.float32) * np.float32(self.noise)
        return np.stack([self._frame(frame) for frame in picture], axis=1)

    def _frame(self, picture: np.ndarray) -> np.ndarray:
        frame = np.clip(cv2.GaussianBlur(picture, (0, 0), self.blur), 0, 255).astype(np.uint8)
        jpeg = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, self.quality])[1]
        frame = np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_UNCHANGED))
        return np.atleast_3d(frame).transpose(2, 0, 1)


def shoot(face: Face, camera: Camera, parts: np.ndarray, colour: bool, rng: np.random.Generator) -> np.ndarray:
    """uint8 frames (1 or 3, frames, height, width): grey, or RGB with `colour`.

    Args:
        parts: (frames, PARTS), of `data_prep.lips.articulation`.
    """
    x, y = camera.places()
    mouth = Mouth(face, parts, x, y, camera.region / camera.width)
    light = camera.light * (1 + camera.slope[0] * x + camera.slope[1] * y)[..., None]
    return camera.take(mouth.picture(np.eye(3, dtype=np.float32) if colour else LUMA) * light, rng)


class Mouth:
    """A face's mouth with its parts moved (frames, PARTS), seen at the places x and y, which are `pixel` apart."""

    def __init__(self, face: Face, parts: np.ndarray, x: np.ndarray, y: np.ndarray, pixel: float) -> None:
        lips, jaw, spread, forward, tuck, tongue = parts.T.astype(np.float32)[:, :, None, None]
        self.face, self.x, self.y, self.pixel = face, x, y, pixel
        self.forward, self.spread = forward, spread
        apart, pressed = face.opening * np.maximum(lips, 0), np.maximum(-lips, 0)
        self.half = face.width * (1 + 0.18 * np.maximum(spread, 0) + 0.36 * np.minimum(spread, 0))
        self.across = x / self.half  # -1 at the left corner, 1 at the right
        arch = np.maximum(1 - self.across**2, 0)
        opened = np.maximum(1 - (self.across / (0.94 - 0.15 * forward)) ** 2, 0) ** 0.6 * (1 + face.skew * self.across)
        self.line = face.corners * self.across**2  # where closed lips meet
        thick = 1 + 0.25 * forward - 1.6 * pressed - 0.12 * np.maximum(spread, 0)
        bow = 1 - face.bow * np.exp(-((x / 0.06) ** 2))
        # The four contours of the lips, from top to bottom.
        self.upper_in = self.line - (0.28 * apart * (1 - 0.6 * forward) + 0.05 * tuck) * opened
        self.upper_out = self.upper_in - face.upper * thick * arch**0.75 * bow
        lower = self.line + 0.72 * apart * opened
        self.lower_in = np.maximum(lower + tuck * (face.teeth - lower) * (opened > 0), self.upper_in)
        self.thick_below = face.lower * thick * (1 - 0.5 * tuck)
        self.lower_out = self.lower_in + self.thick_below * arch**0.65
        self.chin = self.thick_below + 0.72 * apart * (1 - tuck)  # y of the lower lip's edge, in the middle
        self.lower_teeth = face.teeth + 0.01 + 0.9 * face.opening * jaw
        self.tongue = self.lower_teeth - 0.09 - tongue * (self.lower_teeth - face.teeth + 0.03)

    def picture(self, channels: np.ndarray) -> np.ndarray:
        """(frames, height, width, channels) float32; `channels` (channels, 3) computes them from RGB."""
        lips, inside = self._between(self.upper_out, self.lower_out), self._between(self.upper_in, self.lower_in)
        tongue = self._soft(self.y - self.tongue - 0.6 * self.x**2) * (0.75 - 0.8 * np.abs(self.x))
        teeth = 1 - (1 - self._upper_teeth()) * (1 - self._lower_teeth())
        skin = (1 - lips) * (1 - inside) * self._skin()
        lips *= (1 - inside) * self._lips()
        inside *= 0.5 + 0.5 * np.clip((self.y - self.upper_in) / 0.06, 0, 1)  # in the shadow of the upper lip
        behind = inside * (1 - teeth)
        layers = (skin, lips, inside * teeth, behind * tongue, behind * (1 - tongue))
        colours = np.stack((self.face.skin, self.face.lip, self.face.enamel, TONGUE, DARK)).astype(np.float32)
        return np.stack(layers, -1) @ (colours @ channels.T)

    def _skin(self) -> np.ndarray:
        """How bright the skin is at each place, about 1."""
        face, x, y = self.face, self.x, self.y
        side = np.abs(x)
        shade = 1.04 - 0.25 * x**2
        above = _bump(y, -0.25, 0.13)
        shade += above * (0.05 * _bump(side, 0.09, 0.035) - 0.1 * _bump(x, 0, 0.04))  # the philtrum
        shade -= 0.3 * _bump(y, -0.52, 0.09) * _bump(x, 0, 0.25)  # the nose
        shade -= 0.4 * _bump(y, -0.45, 0.03) * _bump(side, 0.1, 0.05)
        fold = 0.32 + 0.04 * np.maximum(self.spread, 0) + 0.45 * (y + 0.4)
        shade -= (0.1 + 0.06 * self.spread) * face.folds * _bump(side, fold, 0.035) * _bump(y, -0.2, 0.2)
        shade -= (0.2 + 0.08 * self.forward) * _bump(y, self.chin + 0.05, 0.05) * _bump(x, 0, 0.22)
        shade += 0.1 * _bump(y, self.chin + 0.22, 0.1) * _bump(x, 0, 0.25)
        shade -= 0.3 * _bump(side, self.half, 0.03) * _bump(y, self.line, 0.03)  # the corners
        skin = zip(x, y - self.chin * (y > 0), strict=True)  # the skin of the chin moves
        grain = np.stack([_sample(face.texture, *places) for places in skin])
        shadow = face.beard * np.clip((y + 0.42 - 0.3 * side) / 0.15, 0, 1)
        return shade * (1 - shadow * (0.5 + 3 * grain / 100)) + grain / 100

    def _lips(self) -> np.ndarray:
        """How bright the lips are: the upper one faces down, and the lower one is glossy."""
        y, middle = self.y, (self.upper_in + self.lower_in) / 2
        down = (y - self.upper_out) / np.maximum(self.upper_in - self.upper_out, self.pixel)
        along = (y - self.lower_in) / np.maximum(self.lower_out - self.lower_in, self.pixel)
        upper = 0.95 - 0.2 * down
        lower = 0.98 - 0.15 * along + 0.28 * _bump(along, 0.4, 0.3) * _bump(self.across, 0, 0.5)
        seam = 0.5 * _bump(y, middle, 0.016) * np.exp(-(self.lower_in - self.upper_in) / 0.03)
        return np.where(y < middle, upper, lower) - seam

    def _upper_teeth(self) -> np.ndarray:
        edge = self.face.teeth - 0.25 * self.x**2
        return self._soft(edge - self.y) * self._enamel(self.face.tooth, 0.33)

    def _lower_teeth(self) -> np.ndarray:
        edge = self.lower_teeth + 0.2 * self.x**2
        return self._soft(self.y - edge) * self._enamel(0.65 * self.face.tooth, 0.27) * 0.85

    def _enamel(self, tooth: float, arch: float) -> np.ndarray:
        """How bright teeth of this width are; they fade at the sides, where the dental arch turns back."""
        number = self.x / tooth
        gaps = 1 - self.face.gaps * _bump(number - np.round(number), 0, 0.012 / tooth)
        return np.clip(1 - (self.x / arch) ** 2, 0, 1) ** 0.6 * gaps

    def _soft(self, inside: np.ndarray) -> np.ndarray:
        """Rises from 0 to 1 over the pixel in which the signed distance `inside` becomes positive."""
        return np.clip(inside / self.pixel + 0.5, 0, 1)

    def _between(self, above: np.ndarray, below: np.ndarray) -> np.ndarray:
        """1 between two contours, 0 outside, and also 0 where they meet."""
        inside = np.minimum(self.y - above, below - self.y)
        return self._soft(inside) * np.clip((below - above) / self.pixel, 0, 1)


def _sample(texture: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The texture at the places x and y, (height, width) each; 0 is its middle."""
    columns, rows = (TEXTURE * (0.5 + where / 2) for where in (x, y))
    return cv2.remap(texture, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)


def _bump(x: np.ndarray, middle: np.ndarray | float, width: float) -> np.ndarray:
    """A Gaussian bump: 1 in the middle, and 1/e at a width from it."""
    return np.exp(-(((x - middle) / width) ** 2))
