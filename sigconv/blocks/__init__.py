"""Blocks of layers for signals of any number of axes."""

from .activation import ACTIVATIONS, ScaledTanh, make_activation
from .compose import Residual, chain
from .conv import ConvBlock, separable
from .norm import NORMS, BatchNorm, SubSpectralNorm, make_norm
from .shape import Flatten, Fold, GlobalAvgPool, StatisticsPooling

__all__ = [
    "ACTIVATIONS",
    "NORMS",
    "BatchNorm",
    "ConvBlock",
    "Flatten",
    "Fold",
    "GlobalAvgPool",
    "Residual",
    "ScaledTanh",
    "StatisticsPooling",
    "SubSpectralNorm",
    "chain",
    "make_activation",
    "make_norm",
    "separable",
]
