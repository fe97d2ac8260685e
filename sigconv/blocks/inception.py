"""The module of Szegedy et al., "Going deeper with convolutions", CVPR 2015."""

import torch
from torch import Tensor, nn

from sigconv.blocks.compose import chain
from sigconv.blocks.norm import BatchNorm
from sigconv.layers import Conv, MaxPool


class Inception(nn.Module):
    """Windows of several sizes side by side, (batch, in_channels, \\*size) -> (batch, out_channels, \\*size).

    Four branches, concatenated along the channels: a convolution of size 1; one of size 1 and then one of size 3; the
    same with a wide one; max pooling of size 3 and then a convolution of size 1. Convolutions of size 1 before others
    reduce the number of maps, and so the work. Each convolution is followed by batch normalisation and ReLU, as in
    torchvision, whose names these are; the paper of 2015 has no normalisation.

    Args:
        single: maps of the first branch.
        reduced, medium: maps of the second branch, first those of size 1.
        narrowed, wide: the same for the third.
        pooled: maps of the fourth.
        wide_kernel: kernel size of the third branch's wide convolution.
    """

    def __init__(
        self,
        in_channels: int,
        single: int,
        reduced: int,
        medium: int,
        narrowed: int,
        wide: int,
        pooled: int,
        *,
        wide_kernel: int = 5,
        ndim: int,
    ) -> None:
        super().__init__()
        self.out_channels = single + medium + wide + pooled
        self.branch1 = basic(in_channels, single, 1, ndim=ndim)
        self.branch2 = nn.Sequential(basic(in_channels, reduced, 1, ndim=ndim), basic(reduced, medium, 3, ndim=ndim))
        self.branch3 = nn.Sequential(
            basic(in_channels, narrowed, 1, ndim=ndim), basic(narrowed, wide, wide_kernel, ndim=ndim)
        )
        self.branch4 = nn.Sequential(MaxPool(3, 1, padding=1, ndim=ndim), basic(in_channels, pooled, 1, ndim=ndim))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.children()], 1)


def basic(in_channels: int, out_channels: int, kernel_size: int, stride: int = 1, *, ndim: int) -> nn.Sequential:
    """Convolution, batch normalisation and ReLU, with the names and settings of torchvision's BasicConv2d."""
    return chain(
        conv=Conv(in_channels, out_channels, kernel_size, stride, padding="same", bias=False, ndim=ndim),
        bn=BatchNorm(out_channels, eps=1e-3),
        relu=nn.ReLU(inplace=True),
    )
