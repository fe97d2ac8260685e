"""Maps weighted by what is in all of them."""

from torch import Tensor, nn

from sigconv.errors import UsageError
from sigconv.layers import Conv
from sigconv.layout import mean


class SqueezeExcitation(nn.Module):
    """x times a factor between 0 and 1 for each map, (batch, channels, \\*size) -> the same shape.

    The means of all maps go through ``squeezed`` neurons with ReLU and then through one with a sigmoid for each map.
    Hu, Shen & Sun, "Squeeze-and-excitation networks", CVPR 2018. Names are those of torchvision's.

    Raises:
        UsageError: ``squeezed`` is less than 1.
    """

    def __init__(self, channels: int, squeezed: int, *, ndim: int) -> None:
        super().__init__()
        if squeezed < 1:
            raise UsageError(f"SqueezeExcitation: {channels} maps through {squeezed} neurons; there must be at least 1")
        self.fc1 = Conv(channels, squeezed, 1, ndim=ndim)
        self.fc2 = Conv(squeezed, channels, 1, ndim=ndim)

    def forward(self, x: Tensor) -> Tensor:
        means = mean(x, range(2, x.ndim))
        return x * self.fc2(self.fc1(means).relu()).sigmoid()
