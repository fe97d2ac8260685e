"""A convolutional network for handwritten digits, trained by backpropagation: LeCun, Boser, Denker, Henderson, Howard,
Hubbard & Jackel, "Backpropagation applied to handwritten zip code recognition", Neural Computation 1(4), 1989."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sigconv.blocks import Flatten, ScaledTanh, chain
from sigconv.layers import Conv
from sigconv.nets.shapes import picture
from sigconv.window import Sizes

SIZE, MAPS, KERNEL = 16, 12, 5
TABLE = ((0, 1, 2, 3, 4, 5, 6, 7), (4, 5, 6, 7, 8, 9, 10, 11), (0, 1, 2, 3, 8, 9, 10, 11))
"""Which eight maps of H1 each third of the maps of H2 sees. The paper does not say; here each leaves out one third."""


class PlaceBias(nn.Module):
    """A separate bias for each unit: (batch, \\*shape) -> the same shape."""

    def __init__(self, shape: Sizes) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(shape))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.bias


class ByTable(nn.Module):
    """A convolution each of whose maps sees some of the previous maps, by ``table``, (out_channels, maps seen).

    (batch, channels, \\*size) -> (batch, out_channels, \\*size). The maps seen are concatenated, and the convolution
    has a group for each output map.
    """

    seen: Tensor

    def __init__(self, table: Sequence[Sequence[int]], kernel_size: int, stride: int, ndim: int) -> None:
        super().__init__()
        maps = len(table)
        self.register_buffer("seen", torch.tensor(table).flatten(), persistent=False)
        self.conv = Conv(len(self.seen), maps, kernel_size, stride, padding="same", groups=maps, bias=False, ndim=ndim)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x[:, self.seen])


class Resize(nn.Module):
    """Pictures resized, (batch, channels, \\*size) -> (batch, channels, side, side): bilinear, with antialiasing.

    Those that have this size are left as they are.
    """

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[2:] == (self.side, self.side):
            return x
        wide = x.to(torch.promote_types(x.dtype, torch.float32))  # torch resizes no half precision on a CPU
        return F.interpolate(wide, (self.side, self.side), mode="bilinear", antialias=True).to(x.dtype)

    def extra_repr(self) -> str:
        return f"side={self.side}"


def lecun1989(input: str | Sequence[int] = "1x28x28", classes: int = 10) -> nn.Sequential:
    """The zip code network, (batch, \\*input) -> logits (batch, classes).

    With one channel and ten classes there are 9,760 parameters.

    H1: 12 maps of 8x8 units, kernel 5, stride 2. H2: 12 maps of 4x4, kernel 5, stride 2, each of which sees 8 of H1's.
    Both have a bias for each unit: weights are shared, biases are not. H3: 30 units. All apply 1.7159 tanh(2x/3).
    Weights are drawn uniformly within 2.4 / (number of inputs), as in the paper; the biases of H1 and H2 are 0 at
    first, and the others are drawn as torch draws them.

    Pictures of another size than the paper's 16x16 are resized first. Convolutions pad with zeros here, and in the
    paper with -1, its background. The last layer gives logits, for cross entropy; the paper has tanh and squared error.

    Raises:
        UsageError: the input is not a picture, or there is no class.
    """
    channels, *_ = picture("LeCun 1989", input, classes)
    ndim, first, second = 2, (MAPS, 8, 8), (MAPS, 4, 4)
    table = [row for row in TABLE for _ in range(MAPS // len(TABLE))]
    network = chain(
        resize=Resize(SIZE),
        h1=chain(
            conv=Conv(channels, MAPS, KERNEL, 2, padding="same", bias=False, ndim=ndim),
            bias=PlaceBias(first),
            squash=ScaledTanh(),
        ),
        h2=chain(conv=ByTable(table, KERNEL, 2, ndim), bias=PlaceBias(second), squash=ScaledTanh()),
        flatten=Flatten(second),
        h3=chain(linear=nn.Linear(MAPS * 4 * 4, 30), squash=ScaledTanh()),
        output=nn.Linear(30, classes),
    )
    for module in network.modules():
        if isinstance(module, (Conv, nn.Linear)):
            bound = 2.4 / module.weight[0].numel()
            nn.init.uniform_(module.weight, -bound, bound)
    return network
