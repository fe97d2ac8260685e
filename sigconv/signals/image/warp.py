"""Pictures as other hands and cameras would have made them: batched augmentation on the device."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from sigconv.errors import UsageError
from sigconv.signals import check
from sigconv.signals.augmentation import Augmentation
from sigconv.signals.draw import draw


class RandomWarp(Augmentation):
    """Warp every picture of a batch by a random affine map, a random elastic distortion, or both, resampling once.

    Every draw is uniform and symmetric. A limit of 0 switches its part off.

    Sampling is bilinear, and the border is replicated outside the picture. The weights therefore always sum to
    one, and warping commutes with `Standardise`: either order is right, whatever value the background has.

    Args:
        degrees: greatest rotation, in degrees.
        translate: greatest shift along each axis, in pixels.
        scale: greatest relative change of size, drawn separately for each axis: 0.15 is a factor
            in [0.85, 1.15].
        shear: greatest angle by which vertical lines lean, in degrees.
        elastic_alpha: strength of the elastic distortion: each pixel's displacement is drawn from
            [-alpha, alpha] pixels, then smoothed to a standard deviation of about 0.16 alpha / sigma pixels.
        elastic_sigma: standard deviation of the smoothing Gaussian, in pixels.

    Shape: (N, C, H, W) of any floating dtype, to the same shape and dtype. All frames of a video (N, C, T, H, W) are
    warped alike.

    Raises:
        UsageError: a limit out of range; at call, anything but floating point pictures or videos.

    The elastic distortion is that of Simard, Steinkraus and Platt (2003), "Best practices for convolutional
    neural networks applied to visual document analysis". Ciresan, Meier, Gambardella and Schmidhuber (2010),
    "Deep, big, simple neural nets for handwritten digit recognition", combine it with the affine map: for MNIST
    15 degrees, scale 0.15 to 0.2, alpha 36 to 38, sigma 5 to 6.
    """

    def __init__(
        self,
        degrees: float = 0.0,
        translate: float = 0.0,
        scale: float = 0.0,
        shear: float = 0.0,
        elastic_alpha: float = 0.0,
        elastic_sigma: float = 0.0,
    ) -> None:
        super().__init__()
        self.degrees = check.limit(self, "degrees", degrees, below=360)
        self.translate = check.limit(self, "translate", translate)
        self.scale = check.limit(self, "scale", scale, below=1)
        self.shear = check.limit(self, "shear", shear, below=90)
        self.elastic_alpha = check.limit(self, "elastic_alpha", elastic_alpha)
        self.elastic_sigma = check.limit(self, "elastic_sigma", elastic_sigma)
        if elastic_alpha and not elastic_sigma:
            raise UsageError(
                f"RandomWarp: elastic_alpha is {elastic_alpha:g} but elastic_sigma is 0; "
                "give the width of the smoothing in pixels, such as 5 for 28x28"
            )

    def checked(self, examples: Tensor) -> Tensor:
        return check.floating(self, examples, "pictures (N, C, H, W) or videos (N, C, T, H, W)", 4, 5)

    def augment(self, images: Tensor) -> Tensor:
        pixels = images.flatten(1, -3)
        height, width = pixels.shape[-2:]
        source = self._affine_source(pixels)
        if self.elastic_alpha:
            noise = torch.empty_like(source).uniform_(-self.elastic_alpha, self.elastic_alpha)
            source += gaussian_smooth(noise, self.elastic_sigma)
        source[:, 0] *= 2 / width  # pixels from the centre to grid_sample's -1..1
        source[:, 1] *= 2 / height
        # Whole planes, interleaved by a view alone: faster to fill than affine_grid's pairs, and as fast to sample.
        grid = source.movedim(1, -1)
        warped = F.grid_sample(pixels, grid, mode="bilinear", padding_mode="border", align_corners=False)
        return warped.reshape(images.shape)

    def _affine_source(self, pixels: Tensor) -> Tensor:
        """Where each pixel comes from: (N, 2, H, W), x and y in pixels from the centre.

        Pictures are scaled, sheared, rotated and shifted, in this order; the source of a pixel is found by
        undoing each, the last one first. An affine map is a sum over axes: one addition per pixel is enough.
        """
        height, width = pixels.shape[-2:]

        def within(limit: float) -> Tensor:
            return draw(pixels, -limit, limit)

        def from_centre(size: int) -> Tensor:
            return torch.arange(size, device=pixels.device, dtype=pixels.dtype) - (size - 1) / 2

        angle, lean = within(math.radians(self.degrees)), within(math.radians(self.shear)).tan()
        scale_x, scale_y = 1 + within(self.scale), 1 + within(self.scale)
        x = from_centre(width) - within(self.translate)
        y = from_centre(height).unsqueeze(-1) - within(self.translate)
        cos, sin = angle.cos(), angle.sin()
        source_x = (cos + lean * sin) / scale_x * x + (sin - lean * cos) / scale_x * y
        source_y = cos / scale_y * y - sin / scale_y * x
        return torch.stack([source_x, source_y], 1)


def gaussian_smooth(field: Tensor, sigma: float) -> Tensor:
    """Convolve every spatial axis of `field` (N, C, *spatial) with a Gaussian; outside, the field is zero.

    Each axis is multiplied by the Gaussian's Toeplitz matrix. Where the Gaussian is about as long as the
    picture, as in elastic distortion, this takes no more weights than a kernel, truncates nothing, and is
    about 15 times as fast as a convolution of one channel with a long kernel.
    """
    for axis in range(2, field.ndim):
        position = torch.arange(field.shape[axis], device=field.device, dtype=field.dtype)
        distance = (position[:, None] - position) / sigma
        weights = torch.exp(-distance.square() / 2) / (sigma * math.sqrt(2 * math.pi))
        field = (field.transpose(axis, -1) @ weights).transpose(axis, -1)
    return field
