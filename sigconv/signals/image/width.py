"""Digits scaled to one width."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sigconv.errors import UsageError
from sigconv.signals import check

INK = 0.1  # of the brightest pixel: anything darker is background


class WidthNormalised(nn.Module):
    """Stretches or shrinks what is drawn in each picture to one width and centres it; the height stays.

    Ciresan, Meier & Schmidhuber, "Multi-column deep neural networks for image classification", CVPR 2012, section 3:
    a column of a committee is trained on digits of 10, 12, 14, 16, 18 or 20 pixels.

    Args:
        width: in pixels, from the first column that has ink to the last. Dark is background.

    Shape: (N, C, H, W), uint8 or floating, to the same shape in at least float32, on the same scale; sampling is
    bilinear. A picture without ink stays as it is.

    Raises:
        UsageError: the width is not positive; at call, it exceeds the pictures', or these are not a batch of pictures.
    """

    def __init__(self, width: float) -> None:
        super().__init__()
        check.positive(self, width=width)
        self.width = width

    def extra_repr(self) -> str:
        return f"width={self.width:g}"

    def forward(self, images: Tensor) -> Tensor:
        if images.ndim != 4 or images.shape[-1] < self.width:
            raise UsageError(
                f"WidthNormalised takes pictures (N, C, H, W) of {self.width:g} columns or more, "
                f"but was given {tuple(images.shape)}"
            )
        pixels = images.to(torch.promote_types(images.dtype, torch.float32))
        height, columns = pixels.shape[-2:]
        begin, end = self._drawn(pixels)
        factor, middle = (end - begin) / self.width, (begin + end - columns) / columns
        x = (torch.arange(columns, device=pixels.device, dtype=pixels.dtype) * 2 + 1) / columns - 1
        y = (torch.arange(height, device=pixels.device, dtype=pixels.dtype) * 2 + 1) / height - 1
        source_x = x * factor[:, None] + middle[:, None]
        shape = (len(pixels), height, columns)
        grid = torch.stack([source_x[:, None].expand(shape), y[:, None].expand(shape)], -1)
        return F.grid_sample(pixels, grid, mode="bilinear", padding_mode="zeros", align_corners=False)

    def _drawn(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """The first column with ink and one past the last, (N,) each; without ink, values that change nothing."""
        columns = pixels.shape[-1]
        strongest = pixels.amax((1, 2))
        inked = strongest > INK * strongest.amax(1, keepdim=True)
        place = torch.arange(columns, device=pixels.device, dtype=pixels.dtype)
        empty = ~inked.any(1)
        begin = torch.where(inked, place, torch.inf).amin(1)
        end = torch.where(inked, place + 1, -torch.inf).amax(1)
        return begin.masked_fill(empty, (columns - self.width) / 2), end.masked_fill(empty, (columns + self.width) / 2)
