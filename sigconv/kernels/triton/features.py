"""What the features of a signal are normalised by: the channels of its bands, see :mod:`.bands`."""

from typing import Any, NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

from sigconv.kernels.triton.bands import Bands
from sigconv.kernels.triton.tape import empty
from sigconv.kernels.triton.tuning import Grid


class Features(NamedTuple):
    """What features are normalised by: y = weight (x - mean) / deviation + bias."""

    weight: Tensor
    bias: Tensor | None
    mean: Tensor
    var: Tensor
    eps: float


@triton.jit
def scale_and_shift(weight, bias, mean, var, eps):
    """y = scale x + shift, float32: the same bits wherever it is computed."""
    invstd = tl.div_rn(1.0, tl.sqrt_rn(var + eps))
    return invstd * weight, tl.fma(-invstd * weight, mean, bias), invstd


@triton.jit
def of_feature(values, feature, known):
    return tl.load(values + feature, known, other=0.0).to(tl.float32)


@triton.jit
def normalisation(features, feature, known):
    """Mean, inverse of the deviation, scale and shift."""
    mean, var = of_feature(features.mean, feature, known), of_feature(features.var, feature, known)
    bias = 0.0 if features.bias is None else of_feature(features.bias, feature, known)
    scale, shift, invstd = scale_and_shift(of_feature(features.weight, feature, known), bias, mean, var, features.eps)
    return mean, invstd, scale, shift


JOINED: dict[str, Any] = {"feature_block": 4, "chunk_block": 256}
"""Features and chunks of a block, where the results of chunks are joined."""


def chunked(parts: Bands, channels: int, bands: int, values: int) -> tuple[Tensor, Grid]:
    """Room for ``values`` sums of each feature in each chunk, (chunk, value, feature), and the grid that fills it."""
    grid = parts.in_chunks(bands)
    return empty(parts.signal.data, (grid[0], values, channels * bands), torch.float32), grid


def by_feature(found: Tensor) -> Grid:
    return triton.cdiv(found.shape[2], JOINED["feature_block"]), 1, 1
