"""Blocks of layers for signals of any number of axes."""

from .activation import ACTIVATIONS, ScaledTanh, make_activation
from .compose import Branches, Chain, PerFrame, Residual, chain
from .conv import ConvBlock, factorised, separable
from .linear import Linear
from .norm import NORMS, BatchNorm, SubSpectralNorm, make_norm
from .shape import Flatten, Fold, GlobalAvgPool, Preferred, StatisticsPooling
from .temporal import tcn, temporal_block

__all__ = [
    "ACTIVATIONS",
    "NORMS",
    "BatchNorm",
    "Branches",
    "Chain",
    "ConvBlock",
    "Flatten",
    "Fold",
    "GlobalAvgPool",
    "Linear",
    "PerFrame",
    "Preferred",
    "Residual",
    "ScaledTanh",
    "StatisticsPooling",
    "SubSpectralNorm",
    "chain",
    "factorised",
    "make_activation",
    "make_norm",
    "separable",
    "tcn",
    "temporal_block",
]
